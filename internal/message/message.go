// Package message makes mail objects: an envelope and a content (RFC 5321
// 2.3.1). Compose builds one from its parts; every check that needs no network
// is made there, so that a bad address, a forbidden header field or a missing
// file is known before any connection.
//
// Content is a list of segments: octets in memory, texts, and files that are
// encoded while they are written. Nothing is rendered twice and nothing grows
// with an attachment, yet the exact size is known beforehand for SIZE (RFC
// 1870), and every WriteTo gives the same octets, because a retry must not
// become another message. When that promise cannot be kept - a file changed or
// cannot be read any more - WriteTo fails with *FileError, and whoever submits
// has to cut the connection instead of ending the mail data.
//
// A value made by people is refused, never repaired, when it holds CR, LF or
// NUL: a header field that could carry another one is an attack or a mistake.
package message

import (
	"errors"
	"io"

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

// Mail is a mail object. It holds open files until Close.
type Mail struct {
	Envelope  Envelope
	MessageID string // with its angle brackets; the same for every attempt
	Content   *Content

	utf8Header bool
	parts      []*part // these three of a composed mail
	text, html string
	closers    []io.Closer
}

// Close closes the attachments. Content cannot be written afterwards.
func (m *Mail) Close() error {
	var errs []error
	for _, c := range m.closers {
		errs = append(errs, c.Close())
	}
	m.closers = nil
	return errors.Join(errs...)
}

// NeedsSMTPUTF8 reports whether an address of the envelope or of a composed
// header field is not ASCII, so that the mail can only go to a server that
// offers SMTPUTF8 (RFC 6531 3.4). Display names, subjects, file names and
// domains never need it: they are encoded.
func (m *Mail) NeedsSMTPUTF8() bool {
	if m.utf8Header || !mimetext.IsASCII(m.Envelope.ReversePath) {
		return true
	}
	for _, path := range m.Envelope.ForwardPaths {
		if !mimetext.IsASCII(path) {
			return true
		}
	}
	return false
}
