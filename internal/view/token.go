package view

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/tokencache"
)

// Token is a token for --json: the claims that tell why a server may refuse
// it, and how long it lives.
type Token struct {
	stdio.Schema
	AccessToken string    `json:"access_token"`
	Obtained    time.Time `json:"obtained"`
	Expires     time.Time `json:"expires"`
	Age         float64   `json:"age_s"`
	Life        float64   `json:"remaining_life_s"`
	Cached      bool      `json:"cached"`
	Claims      *Claims   `json:"claims,omitempty"` // nil when it is not a JWT
	ExitCode    int       `json:"exit_code"`
}

// Claims are what a token says of itself, by the names of its own claims.
type Claims struct {
	AppID     string    `json:"appid"`
	AppIDACR  string    `json:"appidacr"`
	Audience  string    `json:"aud"`
	Expires   time.Time `json:"exp"`
	IssuedAt  time.Time `json:"iat"`
	NotBefore time.Time `json:"nbf"`
	ObjectID  string    `json:"oid"`
	Roles     []string  `json:"roles"`
	Scopes    string    `json:"scp"`
	TenantID  string    `json:"tid"`
	TokenID   string    `json:"uti"`
}

// NewToken is the view of a token of the cache, at a time.
func NewToken(entry tokencache.Entry, now time.Time) Token {
	v := Token{
		AccessToken: entry.Token.AccessToken, Obtained: entry.Obtained, Expires: entry.Token.Expiry,
		Age: now.Sub(entry.Obtained).Round(time.Second).Seconds(), Cached: entry.Cached,
		Life: entry.Token.Expiry.Sub(now).Round(time.Second).Seconds(),
	}
	if c, err := diagnosis.ReadClaims(entry.Token.AccessToken); err == nil {
		v.Claims = &Claims{
			Audience: c.Audience, AppID: c.AppID, ObjectID: c.ObjectID, TenantID: c.TenantID, Roles: append([]string{}, c.Roles...),
			Scopes: c.Scopes, AppIDACR: c.AppIDACR, TokenID: c.TokenID, IssuedAt: c.IssuedAt, NotBefore: c.NotBefore, Expires: c.Expires,
		}
	}
	return v
}
