package diagnosis

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// maxShort is how much of a reply people are shown, in octets.
const maxShort = 300

var (
	// diagnosticTail is where the store driver's figures begin: the mark itself,
	// or the first of its pairs where the mark was lost.
	diagnosticTail = lazyregexp.New(`\[BeginDiagnosticData\]|\s\d{1,3}\.\d{4,6}:[0-9A-F]{8}`)
	diagnosticMark = lazyregexp.New(`\[(?:Begin|End)DiagnosticData\]`)
	failedProcess  = lazyregexp.New(`;? ?Failed to process message due to a (?:permanent|transient) exception with message\s*$`)
	verdict        = lazyregexp.New(`Actual verdict is [A-Za-z]+`)
)

// Short cuts a reply to the sentence that matters to people: one line, without
// the kilobytes of diagnostics that Exchange's store driver adds, at most 300
// octets. The whole text belongs in logs and JSON.
func Short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if m := diagnosticTail.Get().FindStringIndex(text); m != nil {
		said := verdict.Get().FindString(text[m[0]:])
		text = failedProcess.Get().ReplaceAllString(strings.TrimRight(text[:m[0]], " "), "")
		if said != "" {
			text += "; " + said
		}
	}
	text = diagnosticMark.Get().ReplaceAllString(text, "")
	if len(text) <= maxShort {
		return text
	}
	return strings.TrimRight(strings.ToValidUTF8(text[:maxShort-3], ""), " ") + "..."
}
