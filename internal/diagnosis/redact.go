package diagnosis

import (
	"io/fs"
	"slices"
	"sync"

	"github.com/smtpsend/smtpsend/internal/credential"
)

// Redact takes tokens, passwords and keys out of a text that came from elsewhere
// and is shown or kept.
func Redact(text string) string {
	found := newFound()
	found.LookInto(text)
	return found.Scrub(text)
}

// newFound looks for credentials, and lets pass the words of the catalogue.
func newFound() *credential.Found { return credential.New(catalogueWords()) }

// catalogueWords are the runs of the catalogue's texts: what a credential has in
// common with them is told by nobody but us.
var catalogueWords = sync.OnceValue(func() *credential.Runs {
	var texts []string
	names, _ := fs.Glob(catalogueFiles, "catalogue/*.txt") // the pattern is right
	for _, name := range names {
		text, err := catalogueFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		texts = append(texts, string(text))
	}
	return credential.NewRuns(texts...)
})

// scrub takes what was found out of every text of a finding, as the last of
// several guards.
func scrub(out Finding, found *credential.Found) Finding {
	all := func(texts []string) []string {
		texts = slices.Clone(texts)
		for i := range texts {
			texts[i] = found.Remove(texts[i])
		}
		return texts
	}
	out.Title, out.Cause, out.ClientDoes = found.Remove(out.Title), found.Remove(out.Cause), found.Remove(out.ClientDoes)
	out.Matched, out.ReadOn = all(out.Matched), all(out.ReadOn)
	out.Fixes = slices.Clone(out.Fixes)
	for i, fix := range out.Fixes {
		out.Fixes[i] = Fix{Text: found.Remove(fix.Text), Commands: all(fix.Commands), Who: fix.Who}
	}
	return out
}
