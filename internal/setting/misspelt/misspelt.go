// Package misspelt finds which setting is meant by a name that is not one.
package misspelt

import (
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/spelling"
)

// Nearest returns the name of the setting that is most like name, both without the
// prefix; "" when none is.
func Nearest(name string) string {
	return spelling.Nearest(strings.ToUpper(name), setting.Names())
}

// Foreign returns the setting, without the prefix, that is meant by a name which is nearly
// one with its prefix: in other letters, without the prefix, or with a prefix that is nearly
// ours. It is "" for all other names: a file may be shared with another program.
func Foreign(name string) string {
	upper := strings.ToUpper(name)
	if short, isPrefixed := strings.CutPrefix(upper, setting.Prefix); isPrefixed {
		return Nearest(short)
	}
	if slices.Contains(setting.Names(), upper) {
		return upper
	}
	i := strings.IndexByte(upper, '_')
	if i > 0 && spelling.Distance(upper[:i+1], setting.Prefix) <= 2 {
		return Nearest(upper[i+1:])
	}
	return ""
}
