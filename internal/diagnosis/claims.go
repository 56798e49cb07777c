package diagnosis

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

// MaxToken is the size in octets up to which a token is read. Exchange tokens
// have about 1,500; those of applications with many roles some thousands.
const MaxToken = 64 << 10

// ErrNotJWT says that a token is not three parts joined by dots, as access
// tokens for Exchange are. The token itself is never part of an error.
var ErrNotJWT = errors.New("token is not a JWT")

// ReadClaims reads the claims of an access token without verifying it: the
// token is for the server, and Microsoft asks clients not to depend on what is
// in it, so the result may only explain, never decide. Claims that are absent
// or of another type stay empty. Errors wrap ErrNotJWT.
func ReadClaims(token string) (Claims, error) {
	if len(token) > MaxToken {
		return Claims{}, fmt.Errorf("%w: longer than %d octets", ErrNotJWT, MaxToken)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}, fmt.Errorf("%w: %d parts instead of 3", ErrNotJWT, len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Claims{}, fmt.Errorf("%w: the payload is not base64url", ErrNotJWT)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(payload, &m); err != nil || m == nil {
		return Claims{}, fmt.Errorf("%w: the payload is not a JSON object", ErrNotJWT)
	}
	return claimsOf(m), nil
}

func claimsOf(m map[string]json.RawMessage) Claims {
	c := Claims{
		Audience:  strings.Join(stringsClaim(m["aud"]), " "),
		AppID:     stringClaim(m["appid"]),
		ObjectID:  stringClaim(m["oid"]),
		TenantID:  stringClaim(m["tid"]),
		Scopes:    stringClaim(m["scp"]),
		AppIDACR:  stringClaim(m["appidacr"]),
		IDType:    stringClaim(m["idtyp"]),
		TokenID:   stringClaim(m["uti"]),
		Roles:     stringsClaim(m["roles"]),
		IssuedAt:  timeClaim(m["iat"]),
		NotBefore: timeClaim(m["nbf"]),
		Expires:   timeClaim(m["exp"]),
	}
	if c.AppID == "" {
		c.AppID = stringClaim(m["azp"])
	}
	if c.AppIDACR == "" {
		c.AppIDACR = stringClaim(m["azpacr"])
	}
	return c
}

// stringClaim also takes a number, which some issuers write for appidacr.
func stringClaim(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// stringsClaim takes a string or an array of strings (RFC 7519 4.1.3).
func stringsClaim(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	if s := stringClaim(raw); s != "" {
		return []string{s}
	}
	return nil
}

// timeClaim reads a NumericDate (RFC 7519 2), which may have a fraction.
func timeClaim(raw json.RawMessage) time.Time {
	var f float64
	if json.Unmarshal(raw, &f) != nil || f <= 0 || f > math.MaxInt32*64 {
		return time.Time{}
	}
	return time.Unix(int64(f), 0).UTC()
}

// HasRole reports whether the token carries the application role, without
// regard to case.
func (c Claims) HasRole(name string) bool {
	for _, r := range c.Roles {
		if strings.EqualFold(r, name) {
			return true
		}
	}
	return false
}

// Resource is the host of the resource that scopes ask for, such as
// "outlook.office365.com"; "" when they name none.
func Resource(scopes []string) string {
	if len(scopes) == 0 {
		return ""
	}
	u, err := url.Parse(scopes[0])
	if err != nil {
		return ""
	}
	return u.Host
}

// OtherCloud reports a token for Exchange Online of another cloud than the one
// that was asked for.
func (c Claims) OtherCloud() bool {
	return c.Wanted != "" && c.Audience != "" && c.ForExchange() && !otherName(c.Audience, c.Wanted)
}

// otherName reports whether audience is the resource asked for, by this name or
// another one of the same cloud.
func otherName(audience, wanted string) bool {
	u, err := url.Parse(audience)
	if err != nil || u.Host == "" {
		return strings.Contains(strings.ToLower(audience), exchange.ResourceID) || strings.EqualFold(audience, wanted)
	}
	return exchange.SameResource(u.Host, wanted)
}

// ForExchange reports whether the audience is Exchange Online in any cloud. An
// empty audience counts as such: nothing is known against it.
func (c Claims) ForExchange() bool {
	return c.Audience == "" || exchange.NamedIn(c.Audience)
}
