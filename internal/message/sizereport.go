package message

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

// SizeReport says how large a mail is and why.
type SizeReport struct {
	Encoded int64      // the whole content, as it is sent
	Parts   []PartSize // attachments and inline images, the largest first
}

// PartSize is one file in a SizeReport.
type PartSize struct {
	Name    string
	File    int64 // octets on disk
	Encoded int64 // octets in the message: base64 takes 37 % more
}

// SizeReport returns the sizes of a mail.
func (m *Composed) SizeReport() SizeReport {
	r := SizeReport{Encoded: m.Content.Size()}
	for _, p := range m.parts {
		r.Parts = append(r.Parts, PartSize{p.name, p.body.length, p.body.Size()})
	}
	slices.SortStableFunc(r.Parts, func(a, b PartSize) int { return cmp.Compare(b.Encoded, a.Encoded) })
	return r
}

// NearLimit reports whether the mail is worth a word: 90 % of the default limit
// or more. Exchange measures after converting the message, so no exact limit
// can be promised.
func (r SizeReport) NearLimit() bool { return r.Encoded >= exchange.DefaultMessageSize/10*9 }

// OverService reports whether no mailbox of Exchange Online can send the mail.
func (r SizeReport) OverService() bool { return r.Encoded > exchange.MessageSize }

// String explains the size in one line.
func (r SizeReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s encoded", mebibytes(r.Encoded))
	switch {
	case r.OverService():
		fmt.Fprintf(&b, ", more than the %s that Exchange Online takes at all", mebibytes(exchange.MessageSize))
	case r.Encoded > exchange.DefaultMessageSize:
		fmt.Fprintf(&b, ", more than the default limit of a mailbox in Exchange Online, %s (Set-Mailbox -MaxSendSize allows up to %s)", mebibytes(exchange.DefaultMessageSize), mebibytes(exchange.MessageSize))
	case r.NearLimit():
		fmt.Fprintf(&b, ", close to the default limit of a mailbox in Exchange Online, %s", mebibytes(exchange.DefaultMessageSize))
	}
	if len(r.Parts) > 0 && r.NearLimit() {
		p := r.Parts[0]
		fmt.Fprintf(&b, "; %s makes %s of it (%s on disk)", p.Name, mebibytes(p.Encoded), mebibytes(p.File))
	}
	return b.String()
}

func mebibytes(n int64) string {
	if n%(1<<20) == 0 || n >= 100<<20 {
		return fmt.Sprintf("%d MiB", (n+(1<<19))>>20)
	}
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
