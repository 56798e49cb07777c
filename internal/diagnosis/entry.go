package diagnosis

import (
	"slices"
	"strings"
	"sync"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Sure says how well the text of an entry is founded.
type Sure string

// The degrees, best first.
const (
	SureDocumented Sure = "documented"  // Microsoft's own text
	SureSeen       Sure = "seen"        // a real server's words in public material
	SureSecondHand Sure = "second-hand" // another's account of it
	SureUnproven   Sure = "unproven"    // nobody has shown it yet; the wording may differ
)

// TokenSample is how a token endpoint refuses: the parts of its JSON.
type TokenSample struct {
	HTTPStatus int
	Error      string // "invalid_client"; "" when the body is no JSON
	AADSTS     int    // the number in "error_codes", 0 when there is none
}

// Entry is one known failure, as data. Texts may hold placeholders such as
// {mailbox}, which Find and Explain fill.
type Entry struct {
	Code   string // stable, in kebab case
	Class  Class
	Stages []smtp.Stage // where it is met, the usual place first
	Title  string
	Cause  string
	Fixes  []Fix

	// Sample is real text: for SMTP the whole reply with its code, lines joined
	// by "\n"; for the token endpoint its error_description (Token has the rest);
	// else a line that a program prints. Several replies follow in Variants.
	Sample   string
	Variants []string
	NoSample string // why there is no sample
	Token    *TokenSample
	Fault    smtp.Fault // what Symptom.Fault recognises it, "" for replies

	// ServerCan says that a server can cause it: by Sample as its reply, by Token
	// as its refusal, or, with Fault set, by its behaviour.
	ServerCan bool

	ClientDoes string
	ReadOn     []string
	Search     []string // strings that people search for
	Sure       Sure

	rules  []rule
	orders []fixOrder
}

// theCatalogue is read once, at the first use, so that a program that meets no
// failure pays nothing.
var theCatalogue = sync.OnceValue(loadCatalogue)

// Entries returns the catalogue in the order of its files: by theme, and within
// one the more precise first. The slice is the caller's, what its entries point
// to is not to be changed.
func Entries() []Entry { return slices.Clone(theCatalogue().entries) }

// Lookup returns the entry with this code.
func Lookup(code string) (Entry, bool) {
	i, ok := theCatalogue().byCode[code]
	if !ok {
		return Entry{}, false
	}
	return theCatalogue().entries[i], true
}

// mustLookup is Lookup for codes that this package relies on; a test has them all.
func mustLookup(code string) Entry {
	e, _ := Lookup(code)
	return e
}

// words are those of the entry's samples, as they stand there, by their bare form.
func (e Entry) words() map[string]string {
	known := map[string]string{}
	for _, sample := range append([]string{e.Sample}, e.Variants...) {
		for _, word := range strings.Fields(sample) {
			known[bare(word)] = word
		}
	}
	delete(known, "")
	return known
}

// phrase is what a rule of the entry asks for in word, one word or several
// without blanks between them: "" where there is more in word.
func (e Entry) phrase(word string) string {
	word = strings.Trim(word, marks)
	letters := squeeze(word)
	if len(letters) < minPhrase || len(word) != len(letters) {
		return ""
	}
	asked := slices.ContainsFunc(e.rules, func(r rule) bool {
		return slices.ContainsFunc(r.words, func(phrase string) bool { return strings.Contains(phrase, letters) })
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

// marks may stand around a word.
const marks = "\"'`.,:;!?()[]{}<>*_|-=\\/"
