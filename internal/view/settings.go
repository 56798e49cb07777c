package view

import (
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Settings writes each setting as a line of an env file, with where its value comes
// from.
func Settings(p *stdio.Printer, shown []config.Shown) {
	width := 0
	for _, s := range shown {
		width = max(width, len(s.Variable)+1+len(s.Value))
	}
	for _, s := range shown {
		p.Printf("%-*s  %s\n", min(width, 90), s.Variable+"="+printable.Line(s.Value), origin(s))
	}
}

func origin(s config.Shown) string {
	if s.Origin == "" {
		return "# unset"
	}
	return "# " + s.Origin
}
