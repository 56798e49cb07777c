package config

import (
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// Shown is one setting as it may be printed.
type Shown struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`  // "[redacted]" for a secret, "" for an unset setting
	Origin   string `json:"origin"` // as Origin.String; "" for an unset setting
	Secret   bool   `json:"secret,omitempty"`
}

// userInfo finds user and password in a URL. It goes up to the last @ before a
// slash, because a password may hold one.
var userInfo = lazyregexp.New(`://[^/\s]*@`)

// Show returns every setting of the table, in its order, with secrets and the
// passwords in URLs masked. Values are as they were written, with the defaults
// put in.
func (c *Config) Show() []Shown {
	var all []Shown
	for _, s := range table() {
		e := c.shown[s.Name]
		value := e.text.Reveal()
		if s.Secret {
			value = e.text.String()
		}
		all = append(all, Shown{
			Variable: s.Variable(),
			Value:    userInfo().ReplaceAllString(value, "://"+secret.Redacted+"@"),
			Origin:   e.origin.String(),
			Secret:   s.Secret,
		})
	}
	return all
}
