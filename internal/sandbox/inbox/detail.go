package inbox

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"

	"github.com/smtpsend/smtpsend/internal/charset"
)

// Limits of what is read of a message for showing it.
const (
	maxText  = 1 << 20 // octets of a text
	MaxParts = 1000    // parts of all levels
	maxDepth = 20      // levels of multiparts
)

// Detail is a message read for people: never written back, so a parser may err.
type Detail struct {
	Message
	Header      []Field      `json:"header"`
	Text        string       `json:"text,omitempty"`
	HTML        string       `json:"html,omitempty"`
	Attachments []Attachment `json:"attachments"`
	Problem     string       `json:"problem,omitempty"` // why the rest could not be read
}

// Field is a header field.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"` // unfolded and decoded
}

// Attachment is a part that is not a text of the message.
type Attachment struct {
	Name        string `json:"name"`
	ContentType string `json:"content_type"`
	ContentID   string `json:"content_id,omitempty"`
	Size        int64  `json:"size"` // octets, decoded
}

// ReadDetail reads content, which is of m. What cannot be read is said in Problem.
func ReadDetail(m Message, content io.Reader) Detail {
	d := Detail{Message: m, Header: []Field{}, Attachments: []Attachment{}}
	r := bufio.NewReader(content)
	header, err := d.readHeader(r)
	if err == nil {
		parts := 0
		err = d.readPart(header, r, 0, &parts)
	}
	if err != nil {
		d.Problem = err.Error()
	}
	return d
}

// readHeader keeps the fields in order, as net/mail does not.
func (d *Detail) readHeader(r *bufio.Reader) (textproto.MIMEHeader, error) {
	header := textproto.MIMEHeader{}
	total := 0
	for {
		line, err := r.ReadString('\n')
		total += len(line)
		text := strings.TrimRight(line, "\r\n")
		switch {
		case total > MaxHeader:
			return nil, fmt.Errorf("reading header section: longer than %d octets", MaxHeader)
		case text == "":
			d.decodeFields(header)
			return header, nil
		case (text[0] == ' ' || text[0] == '\t') && len(d.Header) > 0:
			d.Header[len(d.Header)-1].Value += text
		default:
			name, value, _ := strings.Cut(text, ":")
			d.Header = append(d.Header, Field{name, strings.TrimSpace(value)})
		}
		if err != nil {
			return nil, fmt.Errorf("reading header section: %w", err)
		}
	}
}

func (d *Detail) decodeFields(header textproto.MIMEHeader) {
	for i, f := range d.Header {
		header.Add(f.Name, f.Value)
		d.Header[i].Value = DecodeHeader(f.Value)
	}
}

func (d *Detail) readPart(header textproto.MIMEHeader, body io.Reader, depth int, parts *int) error {
	if *parts++; *parts > MaxParts || depth > maxDepth {
		return fmt.Errorf("reading content: more than %d parts or %d levels", MaxParts, maxDepth)
	}
	mediaType, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		mediaType, params = "text/plain", nil
	}
	if strings.HasPrefix(mediaType, "multipart/") && params["boundary"] != "" {
		return d.readMultipart(multipart.NewReader(body, params["boundary"]), depth, parts)
	}
	disposition, dispositionParams, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	decoded := decodeTransfer(header.Get("Content-Transfer-Encoding"), body)
	if text := d.textOf(mediaType); text != nil && *text == "" && disposition != "attachment" {
		*text, err = readText(decoded, params["charset"])
		return err
	}
	size, err := io.Copy(io.Discard, decoded)
	name := dispositionParams["filename"]
	if name == "" {
		name = params["name"]
	}
	d.Attachments = append(d.Attachments, Attachment{DecodeHeader(name), mediaType, strings.Trim(header.Get("Content-Id"), "<>"), size})
	if err != nil {
		return fmt.Errorf("reading attachment: %w", err)
	}
	return nil
}

func (d *Detail) readMultipart(r *multipart.Reader, depth int, parts *int) error {
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading parts: %w", err)
		}
		if err := d.readPart(part.Header, part, depth+1, parts); err != nil {
			return err
		}
	}
}

// textOf is where a part of this type is shown.
func (d *Detail) textOf(mediaType string) *string {
	switch mediaType {
	case "text/plain":
		return &d.Text
	case "text/html":
		return &d.HTML
	}
	return nil
}

func readText(r io.Reader, charset string) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxText))
	if err != nil {
		return string(data), fmt.Errorf("reading text: %w", err)
	}
	if decoder, err := charsetReader(charset, strings.NewReader(string(data))); err == nil {
		if decoded, err := io.ReadAll(decoder); err == nil {
			data = decoded
		}
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), nil
}

func decodeTransfer(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	}
	return r
}

func charsetReader(name string, r io.Reader) (io.Reader, error) {
	if name == "" {
		name = "utf-8"
	}
	e, err := charset.Get(name)
	if err != nil {
		return nil, fmt.Errorf("finding charset: %w", err)
	}
	return e.NewDecoder().Reader(r), nil
}

// WordDecoder decodes encoded words (RFC 2047) in every charset that browsers know.
func WordDecoder() *mime.WordDecoder { return &mime.WordDecoder{CharsetReader: charsetReader} }

// DecodeHeader undoes RFC 2047; what cannot be decoded stays as it is.
func DecodeHeader(s string) string {
	if decoded, err := WordDecoder().DecodeHeader(s); err == nil {
		return decoded
	}
	return s
}
