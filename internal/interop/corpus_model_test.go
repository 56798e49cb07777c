//go:build linux

package interop_test

import (
	"bytes"
	"mime"
	"regexp"
	"slices"
	"strings"
)

// model is what smtpsend has to send of a message that it need not re-encode:
// every line ends with CRLF, a CR elsewhere is a blank, the lines of an mbox and
// the fields Bcc and Resent-Bcc are gone. A line in the header section that is
// not a field ends it, as in Postfix, and gets the empty line that was missing.
func model(raw []byte) []byte {
	raw = regexp.MustCompile(`\r*\n`).ReplaceAll(raw, []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte(" "))
	for bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	if !bytes.HasSuffix(raw, []byte("\n")) {
		raw = append(raw, '\n')
	}
	header, body := splitHeader(raw)
	var kept []byte
	for _, f := range fieldsOf(header) {
		if name := nameOf(f); name != "bcc" && name != "resent-bcc" {
			kept = append(kept, f...)
		}
	}
	return bytes.ReplaceAll(append(kept, body...), []byte("\n"), []byte("\r\n"))
}

// fieldLine is the first line of a header field.
var fieldLine = regexp.MustCompile(`^[!-9;-~]+[ \t]*:`)

// splitHeader parts the header section from the rest, which begins with the
// empty line.
func splitHeader(raw []byte) (header, rest []byte) {
	at := 0
	for line := range bytes.Lines(raw) {
		further := at > 0 && (line[0] == ' ' || line[0] == '\t')
		if len(line) == 1 {
			return raw[:at], raw[at:]
		}
		if !further && !fieldLine.Match(line) {
			return raw[:at], append([]byte("\n"), raw[at:]...)
		}
		at += len(line)
	}
	return raw, nil
}

// fieldsOf are the fields of a header section, each with its further lines.
func fieldsOf(header []byte) (fields [][]byte) {
	for line := range bytes.Lines(header) {
		if n := len(fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			fields[n-1] = slices.Concat(fields[n-1], line)
			continue
		}
		fields = append(fields, line)
	}
	return fields
}

func nameOf(field []byte) string {
	name, _, _ := strings.Cut(string(field), ":")
	return strings.ToLower(strings.TrimSpace(name))
}

// added is what smtpsend put on top of content, and whether the rest is as it
// has to be.
func added(content, want []byte) (names []string, same bool) {
	top, same := bytes.CutSuffix(content, want)
	if !same {
		return nil, false
	}
	for _, f := range fieldsOf(bytes.ReplaceAll(top, []byte("\r\n"), []byte("\n"))) {
		names = append(names, nameOf(f))
	}
	return names, true
}

// eightBit reports an octet above 127.
func eightBit(content []byte) bool {
	return bytes.ContainsFunc(content, func(r rune) bool { return r > 127 })
}

// longLine reports a line of more than 998 octets (RFC 5322 2.1.1).
func longLine(content []byte) bool {
	for line := range bytes.Lines(content) {
		if len(bytes.TrimRight(line, "\r\n")) > 998 {
			return true
		}
	}
	return false
}

// protected are the media types whose content is signed or encrypted.
var protected = []string{"multipart/signed", "multipart/encrypted"}

// signed reports a message with a signature that another octet would break:
// DKIM's, ARC's, or that of a part, at whatever depth.
func signed(content []byte) bool {
	for _, f := range fieldsOf(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))) {
		_, value, _ := strings.Cut(string(f), ":")
		switch nameOf(f) {
		case "dkim-signature", "arc-message-signature":
			return true
		case "content-type":
			media, _, _ := mime.ParseMediaType(strings.TrimSpace(strings.ReplaceAll(value, "\n", "")))
			if slices.Contains(protected, media) {
				return true
			}
		}
	}
	return false
}
