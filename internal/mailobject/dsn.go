package mailobject

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
)

// DSN says which delivery status notifications are asked for (RFC 3461 4). Each
// empty field asks for nothing, so that the server does as it always does. A
// server that does not offer DSN never sees any of it.
type DSN struct {
	Notify     string // NEVER, or a list of SUCCESS, FAILURE, DELAY with commas between them
	Return     string // FULL or HDRS
	EnvelopeID string // at most 100 printable ASCII characters
}

// maxEnvelopeID is the limit of DSN.EnvelopeID in octets (RFC 3461 4.4).
const maxEnvelopeID = 100

// Check returns a *badinput.FieldError for what could not be written into MAIL or RCPT.
func (d DSN) Check() error {
	switch {
	case d.Notify != "" && !isNotify(d.Notify):
		return badinput.Field("notify", d.Notify, "is neither NEVER nor a list of SUCCESS, FAILURE, DELAY (RFC 3461 4.1)")
	case d.Return != "" && d.Return != "FULL" && d.Return != "HDRS":
		return badinput.Field("return", d.Return, "is neither FULL nor HDRS (RFC 3461 4.3)")
	case len(d.EnvelopeID) > maxEnvelopeID || strings.ContainsFunc(d.EnvelopeID, func(r rune) bool { return r < ' ' || r > '~' }):
		return badinput.Field("envelope id", d.EnvelopeID, "at most 100 printable ASCII characters (RFC 3461 4.4)")
	}
	return nil
}

// OfMail is what the parameters RET and ENVID of a MAIL command ask for. A wish that cannot
// be read is none.
func OfMail(parameters map[string]string) DSN {
	id, ok := fromXtext(parameters["ENVID"])
	d := DSN{Return: strings.ToUpper(parameters["RET"]), EnvelopeID: id}
	if !ok || d.Check() != nil {
		return DSN{}
	}
	return d
}

// Join adds the parameter NOTIFY of a RCPT command, "" where it has none; isFirst says that
// no recipient was before it. A mail object has one wish for all: where they differ it has
// none, so that no recipient gets what another asked for.
func (d *DSN) Join(notify string, isFirst bool) {
	wish := DSN{Notify: strings.ToUpper(notify)}
	if wish.Check() != nil {
		wish.Notify = ""
	}
	switch {
	case isFirst:
		d.Notify = wish.Notify
	case d.Notify != wish.Notify:
		d.Notify = ""
	}
}

// fromXtext undoes xtext (RFC 3461 4).
func fromXtext(text string) (plain string, ok bool) {
	first, rest, _ := strings.Cut(text, "+")
	if first == text {
		return text, true
	}
	var b strings.Builder
	b.WriteString(first)
	for part := range strings.SplitSeq(rest, "+") {
		if len(part) < 2 {
			return "", false
		}
		octet, err := hex.DecodeString(part[:2])
		if err != nil {
			return "", false
		}
		b.Write(octet)
		b.WriteString(part[2:])
	}
	return b.String(), true
}

func isNotify(s string) bool {
	if s == "NEVER" {
		return true
	}
	for word := range strings.SplitSeq(s, ",") {
		if !slices.Contains([]string{"SUCCESS", "FAILURE", "DELAY"}, word) {
			return false
		}
	}
	return true
}
