// Package docgen writes the parts of the documents that are made from tables: the
// settings, and the catalogue of errors. Only tests use it, which compare the documents
// or write them (go test ./cmd/smtpsend -update), so that it is not in the binary.
package docgen

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/setting"
)

// Settings returns the table of settings for README and manual: variable,
// enaio's names, default, meaning.
func Settings() string {
	var b strings.Builder
	b.WriteString("| Variable | enaio: registry / osweb-prod.yml | Default | Meaning |\n|---|---|---|---|\n")
	for _, s := range setting.All() {
		names, value := strings.Join(s.EnaioNames(), " / "), s.Default
		switch {
		case value == "":
			value = "-"
		case strings.HasPrefix(value, "("):
			value = strings.Trim(value, "()")
		default:
			value = "`" + value + "`"
		}
		if names == "" {
			names = "-"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Variable(), names, value, strings.ReplaceAll(s.Comment, "|", `\|`))
	}
	return b.String()
}
