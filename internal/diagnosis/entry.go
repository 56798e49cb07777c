package diagnosis

import (
	"slices"
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
	SureUnproven   Sure = "unproven"    // no one has shown it yet; the wording may differ
)

// TokenSample is how a token endpoint refuses: the parts of its JSON.
type TokenSample struct {
	HTTPStatus int
	Error      string // "invalid_client"; "" when the body is not JSON
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

	// Rules are the ways to recognise it; any of them is enough.
	Rules []Rule

	Holds Scope // with ClassConfiguration: what waits until it is fixed
	Clock bool  // a wrong clock can cause it
	// Presented says that it is about what the client presented, which is shown beside it.
	Presented bool
	// MatchSecond says that the command which makes a federated credential that matches it
	// comes after the first fix: most often that is not the cause.
	MatchSecond bool
	After       smtp.Stage // the stage of whose failure it is a consequence; "" for none

	// Of pasted text: see parse.go.
	Vague            bool
	OnlineOnly       bool
	Local, Inspected string // codes of other entries

	otherwise lastResort // "" for none
	noReason  *Symptom   // the reply, nil for none
	orders    []fixOrder
}

// GivesNoReason reports whether the server refuses without a reason, so that several
// causes remain.
func (e Entry) GivesNoReason() bool { return e.noReason != nil }

// WithClaims returns the entry that the claims of the refused token tell of a refusal
// that gives no reason: e itself when they tell nothing, or the refusal gives one.
func (e Entry) WithClaims(c *Claims) Entry {
	if !e.GivesNoReason() || c == nil {
		return e
	}
	s := *e.noReason
	s.Claims = c
	if better, weight := Match(s); weight > 0 {
		return better
	}
	return e
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

// KnownNumber reports whether the catalogue has an entry for this AADSTS number.
func KnownNumber(number int) bool { return theCatalogue().numbers[number] }
