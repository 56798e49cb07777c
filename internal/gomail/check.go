package gomail

import (
	"cmp"
	"fmt"
	"io"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// check refuses what would add lines to a header section, because go-mail writes most
// of what it is given as it is, and an embedded file that no reader would find. The
// error is a *badinput.FieldError.
func check(m *mail.Msg) error {
	if err := checkFields(m); err != nil {
		return err
	}
	if err := checkAddresses(m); err != nil {
		return err
	}
	if err := cmp.Or(oneLine("charset", m.Charset()), oneLine("boundary", m.GetBoundary())); err != nil {
		return err
	}
	for _, p := range m.GetParts() {
		for field, value := range map[string]string{
			"content type": string(p.GetContentType()), "charset": string(p.GetCharset()), "encoding": string(p.GetEncoding()), "description": p.GetDescription(),
		} {
			if err := oneLine(field+" of a part", value); err != nil {
				return err
			}
		}
	}
	for _, f := range slices.Concat(m.GetAttachments(), m.GetEmbeds()) {
		if err := checkFile(f); err != nil {
			return err
		}
	}
	for _, f := range m.GetEmbeds() {
		if id := cmp.Or(f.Header.Get("Content-ID"), f.Name); !mimetext.IsASCII(id) {
			return badinput.Field("embedded file", f.Name, "its name would be its Content-ID, which must be ASCII: give it one by WithFileContentID")
		}
	}
	return nil
}

// checkFields looks at all header fields that are not addresses.
func checkFields(m *mail.Msg) error {
	fields, preformatted := fieldsOf(m, "genHeader"), fieldsOf(m, "preformHeader")
	if !fields.IsValid() || !preformatted.IsValid() {
		return fmt.Errorf("this version of go-mail keeps header fields in a way that is not known")
	}
	for _, name := range slices.Concat(fields.MapKeys(), preformatted.MapKeys()) {
		if !isFieldName(name.String()) {
			return badinput.Field("header name", name.String(), "is not the name of a header field")
		}
	}
	for _, name := range fields.MapKeys() {
		for _, value := range m.GetGenHeader(mail.Header(name.String())) {
			if err := oneLine("header "+name.String(), decoded(value)); err != nil {
				return err
			}
		}
	}
	for _, name := range preformatted.MapKeys() {
		value := preformatted.MapIndex(name).String()
		unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t").Replace(value)
		if err := oneLine("header "+name.String(), unfolded); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf is a map of m by the names of header fields. go-mail has no function that
// lists them, so it is read where it is kept; it is not valid where go-mail has none.
func fieldsOf(m *mail.Msg, kept string) reflect.Value {
	fields := reflect.ValueOf(m).Elem().FieldByName(kept)
	if fields.Kind() != reflect.Map {
		return reflect.Value{}
	}
	return fields
}

// isFieldName reports whether name can stand before the colon (RFC 5322 3.6.8).
func isFieldName(name string) bool {
	outside := func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }
	return name != "" && !strings.ContainsFunc(name, outside)
}

// decoded is a value as it was given: go-mail makes encoded words of it (RFC 2047),
// and so of a line break.
func decoded(value string) string {
	asItIs := func(_ string, octets io.Reader) (io.Reader, error) { return octets, nil }
	text, err := (&mime.WordDecoder{CharsetReader: asItIs}).DecodeHeader(value)
	if err != nil {
		return value
	}
	return text
}

func checkAddresses(m *mail.Msg) error {
	for _, field := range []mail.AddrHeader{mail.HeaderEnvelopeFrom, mail.HeaderFrom, mail.HeaderTo, mail.HeaderCc, mail.HeaderBcc, mail.HeaderReplyTo} {
		for _, a := range m.GetAddrHeader(field) {
			if a == nil {
				continue
			}
			for _, text := range []string{a.Name, a.Address} {
				if err := oneLine(string(field), text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func checkFile(f *mail.File) error {
	file := "file " + strconv.Quote(f.Name)
	for field, value := range map[string]string{"name": f.Name, "description": f.Desc, "content type": string(f.ContentType), "encoding": string(f.Enc)} {
		if err := oneLine(file+", "+field, value); err != nil {
			return err
		}
	}
	for name, values := range f.Header {
		if !isFieldName(name) {
			return badinput.Field(file+", header name", name, "is not the name of a header field")
		}
		for _, value := range values {
			if err := oneLine(file+", header "+name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func oneLine(field, value string) error {
	if reason := badinput.NotOneLine(value); reason != "" {
		return badinput.Field(field, value, reason)
	}
	return nil
}
