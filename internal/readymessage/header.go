package readymessage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/sevenbit"
)

// headerField is where one header field lies in the spool, folded lines included.
type headerField struct {
	name     string // lower case
	from, to int64
	value    string // unfolded, without blanks at both ends
}

// scanHeader finds the fields. The header section ends at an empty line, or at
// a line that is not a field: then the body begins with that line, as sendmail has
// always read what comes without a header.
func (msg *Message) scanHeader() error {
	head := make([]byte, min(msg.spool.n, limits.HeaderSection))
	if _, err := msg.spool.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the header section: %w", err)
	}
	pos := mboxLines(head)
	if pos == len(head) && int64(pos) < msg.spool.n {
		return errHeaderTooLarge()
	}
	if pos > 0 {
		msg.fields = append(msg.fields, headerField{name: mboxLine, to: int64(pos)})
	}
	for pos < len(head) {
		if bytes.HasPrefix(head[pos:], []byte("\r\n")) {
			msg.body, msg.hasBlank = int64(pos+2), true
			return nil
		}
		name, ok := fieldName(head[pos:])
		if !ok {
			if int64(len(head)) < msg.spool.n && mayBeField(head[pos:]) {
				return errHeaderTooLarge()
			}
			break
		}
		end := fieldEnd(head, pos)
		if end == len(head) && int64(end) < msg.spool.n {
			return errHeaderTooLarge()
		}
		value := bytes.ReplaceAll(head[pos+len(name):end], []byte("\r\n"), nil)
		value = value[bytes.IndexByte(value, ':')+1:]
		msg.fields = append(msg.fields, headerField{strings.ToLower(name), int64(pos), int64(end), string(bytes.TrimSpace(value))})
		pos = end
	}
	msg.body = int64(pos)
	return nil
}

func errHeaderTooLarge() error {
	return badinput.Field("message", "", fmt.Sprintf("the header section has more than %d octets", limits.HeaderSection))
}

// mboxLine marks the lines that mbox files and some programs put first. They are
// not a header field and never sent.
const mboxLine = sevenbit.MboxLine

// mboxLines is where the lines end that come before the header section of a
// message in an mbox file: "From user date", once for each program that stored
// it, and with a ">" for each that quoted it. Postfix drops the same.
func mboxLines(head []byte) (end int) {
	for bytes.HasPrefix(bytes.TrimLeft(head[end:], ">"), []byte("From ")) {
		end = lineEnd(head, end)
	}
	return end
}

func lineEnd(b []byte, pos int) int {
	if i := bytes.Index(b[pos:], []byte("\r\n")); i >= 0 {
		return pos + i + 2
	}
	return len(b)
}

// fieldEnd is after the last folded line of the field at pos.
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

// mayBeField reports whether b, which is cut off, could go on as a field or as the
// empty line after the header section: what is after it would become text, a Bcc
// too.
func mayBeField(b []byte) bool {
	rest := bytes.TrimLeft(bytes.TrimLeftFunc(b, func(r rune) bool { return r > ' ' && r <= '~' }), " \t")
	return len(rest) == 0 || string(rest) == "\r"
}

// blankLines are the line ends before lines of blanks alone within fields. RFC 5322
// 3.2.2 forbids to write such lines, since some programs take one for the end of the
// header section. Without the line end the field says the same (2.2.3).
func (msg *Message) blankLines() (edits []edit) {
	head := make([]byte, msg.body)
	if _, err := msg.spool.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil // what cannot be read fails when it is sent
	}
	for _, f := range msg.fields {
		for pos := lineEnd(head, int(f.from)); pos < int(f.to); {
			end := lineEnd(head, pos)
			if len(bytes.TrimSpace(head[pos:end])) == 0 {
				edits = append(edits, edit{from: int64(pos - len("\r\n")), to: int64(pos)})
			}
			pos = end
		}
	}
	return edits
}

// Field returns the unfolded value of the first field of that name, as it
// is in the message, and whether there is one.
func (msg *Message) Field(name string) (value string, ok bool) {
	name = strings.ToLower(name)
	for _, f := range msg.fields {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

// Values returns the unfolded values of all fields of that name, as Field has them.
func (msg *Message) Values(name string) (values []string) {
	name = strings.ToLower(name)
	for _, f := range msg.fields {
		if f.name == name {
			values = append(values, f.value)
		}
	}
	return values
}

// From returns who wrote the message, or who resent it: the addresses of the
// first Resent-From that has an address, else of From, as address.RepairField reads
// them. The list is empty when there is no such field. A local name has an empty
// Domain, and is alone. The error is *badinput.FieldError.
func (msg *Message) From() ([]address.Address, error) {
	for _, f := range msg.fields {
		if f.name != "resent-from" {
			continue
		}
		if list, err := msg.authors("Resent-From", f.value); err != nil || len(list) > 0 {
			return list, err
		}
	}
	value, _ := msg.Field("From")
	return msg.authors("From", value)
}

// author is the first address of the field From, whoever resent the message; "" when
// there is none that can be read.
func (msg *Message) author() string {
	value, _ := msg.Field("From")
	list, err := msg.authors("From", value)
	if err != nil || len(list) == 0 {
		return ""
	}
	return list[0].Addr()
}

// Recipients returns the addresses of To, Cc and Bcc. As soon as there is a
// Resent-To, Resent-Cc or Resent-Bcc, in whatever block of Resent- fields, it
// returns those of all such fields instead, as Postfix does: a trace field or a
// Resent-Date on its own cuts a block (RFC 5322 3.6.6) without the message having
// been resent. Groups are taken apart. A local name, such as root, has
// no Domain. The error is *badinput.FieldError: an address that cannot be read stops the
// message, so that no one is left out in silence.
func (msg *Message) Recipients() ([]address.Address, error) {
	prefix := ""
	for _, f := range msg.fields {
		if name, resent := strings.CutPrefix(f.name, "resent-"); resent && namesRecipients(name) {
			prefix = "resent-"
		}
	}
	var list []address.Address
	for _, f := range msg.fields {
		if name, ok := strings.CutPrefix(f.name, prefix); ok && namesRecipients(name) {
			as, err := address.ParseLenient(textproto.CanonicalMIMEHeaderKey(f.name), f.value)
			if err != nil {
				return nil, err
			}
			list = append(list, as...)
		}
	}
	return list, nil
}

func namesRecipients(name string) bool { return name == "to" || name == "cc" || name == "bcc" }
