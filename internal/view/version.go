package view

import "github.com/smtpsend/smtpsend/internal/stdio"

// Version is which program this is.
type Version struct {
	stdio.Schema
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision"`
	Version  string `json:"version"`
}

// Print writes it in a line.
func (v Version) Print(p *stdio.Printer) {
	p.Printf("smtpsend %s %s %s\n", v.Version, v.Go, v.Platform)
}

// Notices are the licences of the code that is linked in.
type Notices struct {
	stdio.Schema
	Notices string `json:"notices"`
}

// Print writes the text.
func (v Notices) Print(p *stdio.Printer) { p.Text(v.Notices) }
