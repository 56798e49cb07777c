package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"
)

// rawField is where one header field lies in the spool, folded lines included.
type rawField struct {
	name     string // lower case
	from, to int64
	value    string // unfolded, without blanks at both ends
}

// scanHeader finds the fields. The header section ends at an empty line, or at
// a line that is no field: then the body begins with that line, as sendmail has
// always read what comes without a header.
func (r *Raw) scanHeader() error {
	head := make([]byte, min(r.spool.n, maxHeader))
	if _, err := r.spool.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the header section: %w", err)
	}
	pos := 0
	if bytes.HasPrefix(head, []byte("From ")) || bytes.HasPrefix(head, []byte(">From ")) {
		pos = lineEnd(head, 0)
		r.fields = append(r.fields, rawField{name: mboxLine, to: int64(pos)})
	}
	for pos < len(head) {
		if bytes.HasPrefix(head[pos:], []byte("\r\n")) {
			r.body, r.hasBlank = int64(pos+2), true
			return nil
		}
		name, ok := fieldName(head[pos:])
		if !ok {
			break
		}
		end := fieldEnd(head, pos)
		if end == len(head) && int64(end) < r.spool.n {
			return &FieldError{"message", "", fmt.Sprintf("the header section has more than %d octets", maxHeader)}
		}
		value := bytes.ReplaceAll(head[pos+len(name):end], []byte("\r\n"), nil)
		value = value[bytes.IndexByte(value, ':')+1:]
		r.fields = append(r.fields, rawField{strings.ToLower(name), int64(pos), int64(end), string(bytes.TrimSpace(value))})
		pos = end
	}
	r.body = int64(pos)
	return nil
}

// mboxLine marks the line that mbox files and some programs put first. It is no
// header field and never sent.
const mboxLine = "\x00mbox"

func lineEnd(b []byte, pos int) int {
	if i := bytes.Index(b[pos:], []byte("\r\n")); i >= 0 {
		return pos + i + 2
	}
	return len(b)
}

// fieldEnd is behind the last folded line of the field at pos.
func fieldEnd(b []byte, pos int) int {
	for {
		pos = lineEnd(b, pos)
		if pos >= len(b) || (b[pos] != ' ' && b[pos] != '\t') {
			return pos
		}
	}
}

// fieldName returns the name if b begins with a field (RFC 5322 2.2). Blanks
// before the colon are allowed in the obsolete syntax (4.5).
func fieldName(b []byte) (string, bool) {
	n := 0
	for n < len(b) && b[n] > ' ' && b[n] <= '~' && b[n] != ':' {
		n++
	}
	rest := bytes.TrimLeft(b[n:], " \t")
	return string(b[:n]), n > 0 && len(rest) > 0 && rest[0] == ':'
}

// Field returns the unfolded value of the first field of that name, as it
// stands in the message, and whether there is one.
func (r *Raw) Field(name string) (value string, ok bool) {
	name = strings.ToLower(name)
	for _, f := range r.fields {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

// resentBlock returns the first block of Resent- fields: later blocks tell of
// earlier resendings (RFC 5322 3.6.6). A block ends at another field or where a
// name comes again.
func (r *Raw) resentBlock() []rawField {
	var block []rawField
	seen := map[string]bool{}
	for _, f := range r.fields {
		isResent := strings.HasPrefix(f.name, "resent-")
		if (!isResent && len(block) > 0) || seen[f.name] {
			break
		}
		if isResent {
			seen[f.name] = true
			block = append(block, f)
		}
	}
	return block
}

// From returns who wrote the message, or who resent it: the addresses of
// Resent-From or From. The list is empty when there is no such field. A local
// name has no Domain. The error is *FieldError.
func (r *Raw) From() ([]Address, error) {
	for _, f := range r.resentBlock() {
		if f.name == "resent-from" {
			return parseMailboxes("Resent-From", f.value)
		}
	}
	value, _ := r.Field("From")
	return parseMailboxes("From", value)
}

// Recipients returns the addresses of To, Cc and Bcc, or, in a message that was
// resent, of Resent-To, Resent-Cc and Resent-Bcc of its first block. Groups are
// taken apart. A local name, such as root, has no Domain. The error is
// *FieldError: an address that cannot be read stops the message, so that nobody
// is left out in silence.
func (r *Raw) Recipients() ([]Address, error) {
	fields, prefix := r.fields, ""
	if block := r.resentBlock(); len(block) > 0 {
		fields, prefix = block, "resent-"
	}
	var list []Address
	for _, f := range fields {
		switch strings.TrimPrefix(f.name, prefix) {
		case "to", "cc", "bcc":
			as, err := parseMailboxes(textproto.CanonicalMIMEHeaderKey(f.name), f.value)
			if err != nil {
				return nil, err
			}
			list = append(list, as...)
		}
	}
	return list, nil
}
