package paste

import (
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// quote is what was recognised, on one line and short: codes, and for the words
// of the text those of the catalogue, as they are written there; for all else an
// ellipsis. So nothing comes back that only the text knew, such as a password
// between two words, or its marks and capitals.
func (s *source) quote(at region, e diagnosis.Entry) string {
	known := sampleWords(e)
	var out []string
	for _, word := range strings.Fields(s.text[at.start:min(at.end, at.start+maxQuoted)]) {
		ours := known[bare(word)]
		if ours == "" {
			ours = phraseIn(e, word)
		}
		switch {
		case quotedCode.Get().MatchString(word):
		case ours != "":
			word = ours
		case len(out) > 0 && out[len(out)-1] == ellipsis, diagnosis.Squeeze(word) == "":
			continue
		default:
			word = ellipsis
		}
		out = append(out, word)
	}
	quoted := strings.TrimRight(strings.TrimSuffix(strings.Join(out, " "), " "+ellipsis), ".,:;")
	return strings.ToValidUTF8(quoted[:min(len(quoted), maxQuote)], "")
}

const (
	maxQuoted = 2000 // octets that are looked at for a quotation
	maxQuote  = 160  // octets of it
	ellipsis  = "..."
)

// quotedCode is a reply code, an enhanced status code, or an error number.
var quotedCode = lazyregexp.New(`^[(\["']?(?:[245]\d\d|[245]\.\d{1,3}\.\d{1,3}|AADSTS\d{4,9})[-:;,.)\]"']?$`)

// sampleWords are those of the entry's samples, as they are written there, by their bare
// form.
func sampleWords(e diagnosis.Entry) map[string]string {
	known := map[string]string{}
	for _, sample := range append([]string{e.Sample}, e.Variants...) {
		for _, word := range strings.Fields(sample) {
			known[bare(word)] = word
		}
	}
	delete(known, "")
	return known
}

// phraseIn is what a rule of the entry asks for in word, one word or several
// without blanks between them: "" where there is more in word.
func phraseIn(e diagnosis.Entry, word string) string {
	word = strings.Trim(word, marks)
	letters := diagnosis.Squeeze(word)
	if len(letters) < minPhrase || len(word) != len(letters) {
		return ""
	}
	asked := slices.ContainsFunc(e.Rules, func(r diagnosis.Rule) bool {
		return slices.ContainsFunc(r.Words, func(phrase string) bool { return strings.Contains(phrase, letters) })
	})
	if !asked {
		return ""
	}
	for _, sample := range append([]string{e.Sample}, e.Variants...) { // which has capitals
		if i := strings.Index(strings.ToLower(sample), letters); i >= 0 && isASCII(sample) {
			return sample[i : i+len(letters)]
		}
	}
	return letters
}

// minPhrase is how many letters no secret has in common with a phrase by chance.
const minPhrase = 4

// bare is a word in lower case without the marks around it.
func bare(word string) string { return strings.ToLower(strings.Trim(word, marks)) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// marks may be around a word.
const marks = "\"'`.,:;!?()[]{}<>*_|-=\\/"
