package paste

import (
	"cmp"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

var (
	appInText    = lazyregexp.New(`(?i)\b(?:added to|keys for|client) app(?:lication)?\s+'?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b`)
	tenantInText = lazyregexp.New(`(?i)\bin the tenant\s+'?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b`)
	idShape      = lazyregexp.New(`^(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$`)
	whitespace   = lazyregexp.New(`\s+`)
)

// factsOf adds the ids that the endpoint names in its own words.
func factsOf(f diagnosis.Facts, text string) diagnosis.Facts {
	text = whitespace.Get().ReplaceAllString(text, " ")
	if m := appInText.Get().FindStringSubmatch(text); m != nil {
		f.ClientID = cmp.Or(f.ClientID, m[1])
	}
	if m := tenantInText.Get().FindStringSubmatch(text); m != nil {
		f.TenantID = cmp.Or(f.TenantID, m[1])
	}
	return f
}

// claimsOf reads the token of a transcript that shows one. When it was used is
// not known, so its expiry says nothing.
func claimsOf(tokens []string) *diagnosis.Claims {
	for _, token := range tokens {
		if c, err := diagnosis.ReadClaims(token); err == nil && c.Audience != "" {
			c.Expires = time.Time{}
			for _, id := range []*string{&c.AppID, &c.ObjectID, &c.TenantID} {
				if !idShape.Get().MatchString(*id) { // a token can be made by anyone, with anything there
					*id = ""
				}
			}
			return &c
		}
	}
	return nil
}
