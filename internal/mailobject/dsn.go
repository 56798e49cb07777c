package mailobject

import (
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

// AddNotify takes the NOTIFY of one more recipient; first says that there was none before.
// A message has one for all: where the recipients' differ, or one cannot be read, it is the
// default, by which a failure is reported.
func (d *DSN) AddNotify(notify string, first bool) {
	isOther := !first && notify != d.Notify
	if (DSN{Notify: notify}).Check() != nil || isOther {
		notify = ""
	}
	d.Notify = notify
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
