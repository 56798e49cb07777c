package mailtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
)

// Parsed is what a parser saw, in a form that can be compared.
type Parsed struct {
	Subject   string
	Addresses map[string][][2]string // field -> (name, address)
	Text      string
	HTML      string
	Files     []File
	Headers   map[string][]string
	Defects   []string
}

// File is an attachment or an inline part, with the SHA-256 of its content in hex.
type File struct{ Name, TypeName, Type, CID, Disposition, SHA256 string }

// Sum is the SHA-256 of b in hex.
func Sum(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }

// Parse is what the standard library sees in a message, whose addresses and file
// names must be right.
func Parse(t testing.TB, raw string) Parsed {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("net/mail: %v\n%s", err, raw)
	}
	p := Parsed{Addresses: map[string][][2]string{}, Headers: m.Header}
	if p.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Errorf("subject: %v", err)
	}
	for _, field := range []string{"From", "To", "Cc", "Reply-To"} {
		list, err := m.Header.AddressList(field)
		if err != nil && !errors.Is(err, mail.ErrHeaderNotPresent) && !strings.Contains(m.Header.Get(field), ":;") {
			t.Errorf("%s: %v", field, err)
		}
		for _, a := range list {
			p.Addresses[field] = append(p.Addresses[field], [2]string{a.Name, a.Address})
		}
	}
	goPart(t, &p, textproto.MIMEHeader(m.Header), m.Body)
	return p
}

func goPart(t testing.TB, p *Parsed, h textproto.MIMEHeader, body io.Reader) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && h.Get("Content-Type") != "" { // absent: text/plain (RFC 2045 5.2)
		t.Errorf("Content-Type %q: %v", h.Get("Content-Type"), err)
	}
	if strings.HasPrefix(media, "multipart/") {
		mr := multipart.NewReader(body, params["boundary"])
		for {
			part, err := mr.NextRawPart()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Errorf("next part: %v", err)
				return
			}
			goPart(t, p, part.Header, part)
		}
	}
	switch h.Get("Content-Transfer-Encoding") {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("body: %v", err)
	}
	disposition, dparams, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil && h.Get("Content-Disposition") != "" {
		t.Errorf("Content-Disposition %q: %v", h.Get("Content-Disposition"), err)
	}
	name, err := new(mime.WordDecoder).DecodeHeader(params["name"])
	if err != nil {
		t.Errorf("name %q: %v", params["name"], err)
	}
	p.Add(content, media, File{dparams["filename"], name, media, h.Get("Content-Id"), disposition, Sum(content)})
}

// Add notes a part whose decoded content is given.
func (p *Parsed) Add(content []byte, media string, f File) {
	switch {
	case f.Disposition != "" || f.CID != "":
		p.Files = append(p.Files, f)
	case media == "text/html":
		p.HTML = string(content)
	default:
		p.Text = string(content)
	}
}
