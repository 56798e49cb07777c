package paste

import (
	"slices"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// ownName is how smtpsend itself ends what it says of a failure.
var ownName = lazyregexp.New(`\bmore:\s+smtpsend explain ([a-z0-9-]{3,60})`)

// ownHits are the failures that smtpsend has named in the text: its own output, a
// log of it, or a notice. It saw more than the words that it quotes: certificates,
// the claims of a token, a reply that did not come.
func (p *paste) ownHits() []hit {
	var hits []hit
	for _, m := range ownName.Get().FindAllStringSubmatchIndex(p.src.text, maxOccurrences) {
		e, known := diagnosis.Lookup(p.src.text[m[2]:m[3]])
		if known && !slices.ContainsFunc(hits, func(h hit) bool { return h.entry.Code == e.Code }) {
			hits = append(hits, hit{entry: e, at: region{m[0], m[1]}, words: []string{"smtpsend explain " + e.Code}})
		}
	}
	return hits
}
