package view

import (
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Explained is what --json prints: the root cause in front, and all findings.
type Explained struct {
	stdio.Schema
	Code      string              `json:"code"` // of the first finding, "unknown" when there is none
	Class     diagnosis.Class     `json:"class,omitempty"`
	Transient bool                `json:"transient"`
	Title     string              `json:"title,omitempty"`
	Cause     string              `json:"cause,omitempty"`
	Fixes     []diagnosis.Fix     `json:"fixes"`
	Matched   []string            `json:"matched"`
	Findings  []diagnosis.Finding `json:"findings"`
	ExitCode  int                 `json:"exit_code"`
}

// NewExplained is the view of what explain found in a text.
func NewExplained(findings []diagnosis.Finding) Explained {
	if len(findings) == 0 {
		return Explained{
			Code: "unknown", Fixes: []diagnosis.Fix{}, Matched: []string{}, Findings: []diagnosis.Finding{}, ExitCode: exit.Data,
		}
	}
	f := findings[0]
	return Explained{
		Code: f.Code, Class: f.Class, Transient: f.Transient(), Title: f.Title, Cause: f.Cause,
		Fixes: append([]diagnosis.Fix{}, f.Fixes...), Matched: append([]string{}, f.Matched...), Findings: findings,
	}
}

// Print writes the findings, or that nothing was recognised.
func (v Explained) Print(p *stdio.Printer) {
	findings := v.Findings
	if len(findings) == 0 {
		p.Text("not recognised\n\n" + Wrapped("No error of Exchange Online or Entra ID is in this text, as far as smtpsend knows. "+
			"Paste more of the text: the line with the number (such as 535 5.7.3, 5.2.252 or AADSTS7000215) and the words after it. "+
			"Other mail servers use some of the same numbers with another meaning, so smtpsend does not guess.", "  "))
		return
	}
	for i, f := range findings {
		if i > 0 {
			p.Printf("\n")
		}
		if len(findings) > 1 {
			p.Printf("%d of %d\n", i+1, len(findings))
		}
		Finding(p, f)
	}
}

// Catalogue is the list of all failures that are known.
type Catalogue struct {
	stdio.Schema
	Entries  []Entry `json:"entries"`
	ExitCode int     `json:"exit_code"`
}

// Entry is a failure of the catalogue.
type Entry struct {
	Code  string          `json:"code"`
	Class diagnosis.Class `json:"class"`
	Title string          `json:"title"`
}

// NewCatalogue is the view of the entries.
func NewCatalogue(entries []diagnosis.Entry) Catalogue {
	v := Catalogue{ExitCode: exit.OK}
	for _, e := range entries {
		v.Entries = append(v.Entries, Entry{e.Code, e.Class, e.Title})
	}
	return v
}

// Print writes the list, an entry a line.
func (v Catalogue) Print(p *stdio.Printer) {
	width := 0
	for _, e := range v.Entries {
		width = max(width, len(e.Code))
	}
	for _, e := range v.Entries {
		p.Printf("%-*s  %-13s  %s\n", width, e.Code, e.Class, e.Title)
	}
}
