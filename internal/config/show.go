package config

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/program"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// Shown is one setting as it may be printed.
type Shown struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`  // "[redacted]" for a secret, "" for an unset setting
	Origin   string `json:"origin"` // as Origin.String; "" for an unset setting
	Secret   bool   `json:"secret,omitempty"`
}

// userInfo finds user and password in a URL. It goes up to the last @, because a
// password may hold one, and all else that should have been escaped; where there
// is a password at all, as in a proxy, the scheme may have been left out too.
var userInfo = lazyregexp.New(`^([A-Za-z][A-Za-z0-9+.-]*://)?.*@`)

// urls are the settings that are URLs; others may hold one by mistake.
var urls = &lazy.Value[map[string]bool]{Make: func() map[string]bool {
	return map[string]bool{"PROXY": true, "OFFICE_TOKEN_ENDPOINT": true}
}}

// Show returns every setting of the table, in its order, with secrets and the
// passwords in URLs masked. Values are as they were written, with the defaults
// put in.
func (c *Config) Show() []Shown {
	var all []Shown
	for _, s := range setting.All() {
		e := c.shown[s.Name]
		value := e.text.Reveal()
		switch {
		case s.Secret:
			value = e.text.String()
		case s.Command && value != "":
			value = program.Masked(value)
		case urls.Get()[s.Name] || strings.Contains(value, "://"):
			value = userInfo.Get().ReplaceAllString(value, "${1}"+secret.Redacted+"@")
		}
		all = append(all, Shown{
			Variable: s.Variable(),
			Value:    value,
			Origin:   e.origin.String(),
			Secret:   s.Secret,
		})
	}
	return all
}
