// Package mailobject is a mail object: an envelope and a content (RFC 5321
// 2.3.1), however it was made.
//
// Content is a list of segments: octets in memory, and what is read or encoded
// while it is written. Nothing is rendered twice and nothing grows with an
// attachment, yet the exact size is known beforehand for SIZE (RFC 1870), and every
// WriteTo gives the same octets, because a retry must not become another message.
// When that promise cannot be kept - a file changed or cannot be read any more -
// WriteTo fails, and the program that submits has to cut the connection instead of
// ending the mail data.
package mailobject

import (
	"errors"
	"io"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Envelope is the originator address and the recipients (RFC 5321 2.3.1), in
// the form in which MAIL and RCPT take them: without angle brackets, domains as
// A-labels (RFC 5890), local parts quoted where they must be. An empty
// ReversePath is the null reverse-path.
type Envelope struct {
	ReversePath  string
	ForwardPaths []string // no address twice; domains compared without case
	DSN          DSN      // which notifications are asked for
}

// NewEnvelope returns the envelope of a mail from reversePath (zero: the null
// reverse-path) to all of the lists, each address once, in the order of its first
// mention.
func NewEnvelope(reversePath address.Address, lists ...[]address.Address) Envelope {
	var e Envelope
	if !reversePath.IsZero() {
		e.ReversePath = reversePath.Addr()
	}
	seen := map[string]bool{}
	for _, list := range lists {
		for _, a := range list {
			if !seen[a.Key()] {
				seen[a.Key()] = true
				e.ForwardPaths = append(e.ForwardPaths, a.Addr())
			}
		}
	}
	return e
}

// Mail is a mail object. It holds open files until Close.
type Mail struct {
	Envelope   Envelope
	From       string // the first address of the field From, as it is in an envelope; "" when there is none
	MessageID  string // with its angle brackets; the same for every attempt
	Content    *Content
	UTF8Header bool        // an address in a header field is not ASCII (RFC 6532)
	Files      []io.Closer // that Content reads
}

// Close closes the files. Content cannot be written afterwards.
func (m *Mail) Close() error {
	var errs []error
	for _, f := range m.Files {
		errs = append(errs, f.Close())
	}
	m.Files = nil
	return errors.Join(errs...)
}

// NeedsSMTPUTF8 reports whether an address of the envelope or of a header
// field is not ASCII, so that the mail can only go to a server that
// offers SMTPUTF8 (RFC 6531 3.4). Display names, subjects, file names and
// domains never need it: they are encoded.
func (m *Mail) NeedsSMTPUTF8() bool {
	if m.UTF8Header || !mimetext.IsASCII(m.Envelope.ReversePath) {
		return true
	}
	for _, path := range m.Envelope.ForwardPaths {
		if !mimetext.IsASCII(path) {
			return true
		}
	}
	return false
}
