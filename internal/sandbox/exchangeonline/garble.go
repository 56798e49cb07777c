package exchangeonline

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
)

// garbler does to content what Exchange Online is reported to do: octets above 127
// of a header field become a word in ISO-8859-1, whatever they were in, or question
// marks where SMTPUTF8 was asked for; so do those of a text within a multipart that
// are not encoded. The first is why a subject in UTF-8 arrives as "Ã¤"; the other
// was reported in May 2026 (jstedfast/MailKit#1999).
type garbler struct {
	r     *bufio.Reader
	utf8  bool // SMTPUTF8
	ready []byte
	err   error

	inHeader   bool
	multipart  bool // the line is in a multipart
	text       bool // it is in a text that is not encoded
	header     []byte
	boundaries map[string]bool
}

func newGarbler(r io.Reader, utf8 bool) *garbler {
	return &garbler{r: bufio.NewReaderSize(r, 4096), utf8: utf8, inHeader: true, boundaries: map[string]bool{}}
}

func (g *garbler) Read(p []byte) (int, error) {
	for len(g.ready) == 0 {
		if g.err != nil {
			return 0, g.err
		}
		var line []byte
		line, g.err = g.r.ReadSlice('\n')
		if g.err == bufio.ErrBufferFull {
			g.err = nil
		}
		g.ready = g.line(line)
	}
	n := copy(p, g.ready)
	g.ready = g.ready[n:]
	return n, nil
}

// line takes one line, or a piece of a long one.
func (g *garbler) line(line []byte) []byte {
	switch {
	case g.delimiter(line):
		g.inHeader, g.multipart, g.header = !bytes.HasSuffix(bytes.TrimRight(line, " \t\r\n"), []byte("--")), true, nil
		g.text = false
		return bytes.Clone(line)
	case g.inHeader && len(bytes.TrimRight(line, "\r\n")) == 0:
		g.inHeader = false
		g.endHeader()
		return bytes.Clone(line)
	case g.inHeader:
		if len(g.header) < inbox.MaxHeader {
			g.header = append(g.header, line...)
		}
		return g.field(line)
	case g.text && g.multipart:
		return questionMarks(line)
	}
	return bytes.Clone(line)
}

func (g *garbler) delimiter(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("--")) {
		return false
	}
	text := strings.TrimRight(string(line[2:]), " \t\r\n")
	return g.boundaries[text] || g.boundaries[strings.TrimSuffix(text, "--")]
}

// endHeader looks at what the header of a part says about its body.
func (g *garbler) endHeader() {
	media, encoding := "text/plain", ""
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(g.header)), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "content-type":
			var params map[string]string
			if media, params, _ = mime.ParseMediaType(value); params["boundary"] != "" && len(g.boundaries) < inbox.MaxParts {
				g.boundaries[params["boundary"]] = true
			}
		case "content-transfer-encoding":
			encoding = strings.ToLower(strings.TrimSpace(value))
		}
	}
	g.inHeader = media == "message/rfc822"
	g.header = nil
	g.text = strings.HasPrefix(media, "text/") && encoding != "quoted-printable" && encoding != "base64"
}

// field takes a line of a header.
func (g *garbler) field(line []byte) []byte {
	if g.utf8 {
		return questionMarks(line)
	}
	words := bytes.SplitAfter(line, []byte(" "))
	for i, word := range words {
		text := bytes.TrimRight(word, " \r\n")
		if !bytes.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
			continue
		}
		var b bytes.Buffer
		b.WriteString("=?iso-8859-1?Q?")
		for _, c := range text {
			if c >= 0x80 || c == '?' || c == '=' || c == '_' {
				fmt.Fprintf(&b, "=%02X", c)
				continue
			}
			b.WriteByte(c)
		}
		b.WriteString("?=")
		words[i] = append(b.Bytes(), word[len(text):]...)
	}
	return bytes.Join(words, nil)
}

// questionMarks puts one in the place of each octet above 127.
func questionMarks(line []byte) []byte {
	out := bytes.Clone(line)
	for i, c := range out {
		if c >= 0x80 {
			out[i] = '?'
		}
	}
	return out
}
