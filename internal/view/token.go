package view

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/tokencache"
)

// Token is a token for --json: the claims that tell why a server may refuse
// it, and how long it lives.
type Token struct {
	AccessToken string    `json:"access_token"`
	Obtained    time.Time `json:"obtained"`
	Expires     time.Time `json:"expires"`
	Age         float64   `json:"age_s"`
	Life        float64   `json:"remaining_life_s"`
	Cached      bool      `json:"cached"`
	Claims      any       `json:"claims,omitempty"`
	ExitCode    int       `json:"exit_code"`
}

// NewToken is the view of a token of the cache.
func NewToken(entry tokencache.Entry) Token {
	v := Token{
		AccessToken: entry.Token.AccessToken, Obtained: entry.Obtained, Expires: entry.Token.Expiry,
		Age: time.Since(entry.Obtained).Round(time.Second).Seconds(), Cached: entry.Cached,
		Life: time.Until(entry.Token.Expiry).Round(time.Second).Seconds(),
	}
	if c, err := diagnosis.ReadClaims(entry.Token.AccessToken); err == nil {
		v.Claims = map[string]any{
			"aud": c.Audience, "appid": c.AppID, "oid": c.ObjectID, "tid": c.TenantID, "roles": append([]string{}, c.Roles...),
			"scp": c.Scopes, "appidacr": c.AppIDACR, "uti": c.TokenID, "iat": c.IssuedAt, "nbf": c.NotBefore, "exp": c.Expires,
		}
	}
	return v
}
