package diagnosis

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

var (
	appInText    = lazyregexp.New(`(?i)\b(?:added to|keys for|client) app(?:lication)?\s+'?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b`)
	tenantInText = lazyregexp.New(`(?i)\bin the tenant\s+'?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b`)
	idShape      = lazyregexp.New(`^(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$`)
	whitespace   = lazyregexp.New(`\s+`)
)

// factsOf adds the ids that the endpoint names in its own words.
func (p *paste) factsOf(f Facts, text string) Facts {
	text = whitespace.Get().ReplaceAllString(text, " ")
	if m := appInText.Get().FindStringSubmatch(text); m != nil {
		f.ClientID = or(f.ClientID, m[1])
	}
	if m := tenantInText.Get().FindStringSubmatch(text); m != nil {
		f.TenantID = or(f.TenantID, m[1])
	}
	return f
}

// claims reads the token of a transcript that shows one. When it was used is
// not known, so its expiry says nothing.
func (p *paste) claims() *Claims {
	for _, token := range p.tokens {
		if c, err := ReadClaims(token); err == nil && c.Audience != "" {
			c.Expires = time.Time{}
			for _, id := range []*string{&c.AppID, &c.ObjectID, &c.TenantID} {
				if !idShape.Get().MatchString(*id) { // anybody can make a token that says something else there
					*id = ""
				}
			}
			return &c
		}
	}
	return nil
}
