package message_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"os/exec"
	"strings"
	"testing"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	gomail "github.com/emersion/go-message/mail"
)

// parsed is what a parser saw, in a form that can be compared.
type parsed struct {
	Subject   string
	Addresses map[string][][2]string // field -> (name, address)
	Text      string
	HTML      string
	Files     []parsedFile
	Headers   map[string][]string
	Defects   []string
}

type parsedFile struct{ Name, TypeName, Type, CID, Disposition, SHA256 string }

// parsers are three programs that know nothing of each other.
var parsers = map[string]func(t testing.TB, raws []string) []parsed{
	"go": each(parseGo), "go-message": each(parseGoMessage), "python": parsePython,
}

func each(parse func(testing.TB, string) parsed) func(testing.TB, []string) []parsed {
	return func(t testing.TB, raws []string) (all []parsed) {
		for _, raw := range raws {
			all = append(all, parse(t, raw))
		}
		return all
	}
}

func sum(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }

func parseGo(t testing.TB, raw string) parsed {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("net/mail: %v\n%s", err, raw)
	}
	p := parsed{Addresses: map[string][][2]string{}, Headers: m.Header}
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

func goPart(t testing.TB, p *parsed, h textproto.MIMEHeader, body io.Reader) {
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
	p.add(content, media, parsedFile{dparams["filename"], name, media, h.Get("Content-Id"), disposition, sum(content)})
}

func (p *parsed) add(content []byte, media string, f parsedFile) {
	switch {
	case f.Disposition != "" || f.CID != "":
		p.Files = append(p.Files, f)
	case media == "text/html":
		p.HTML = string(content)
	default:
		p.Text = string(content)
	}
}

func parseGoMessage(t testing.TB, raw string) parsed {
	e, err := gomessage.Read(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("go-message: %v\n%s", err, raw)
	}
	h := gomail.Header{Header: e.Header}
	p := parsed{Addresses: map[string][][2]string{}}
	if p.Subject, err = h.Subject(); err != nil {
		t.Errorf("subject: %v", err)
	}
	for _, field := range []string{"From", "To", "Cc", "Reply-To"} {
		list, err := h.AddressList(field)
		if err != nil && !strings.Contains(h.Get(field), ":;") {
			t.Errorf("%s: %v", field, err)
		}
		for _, a := range list {
			p.Addresses[field] = append(p.Addresses[field], [2]string{a.Name, a.Address})
		}
	}
	err = e.Walk(func(_ []int, part *gomessage.Entity, err error) error {
		if err != nil {
			return err
		}
		media, params, _ := part.Header.ContentType()
		if strings.HasPrefix(media, "multipart/") {
			return nil
		}
		content, err := io.ReadAll(part.Body)
		if err != nil {
			return err
		}
		disposition, _, _ := part.Header.ContentDisposition()
		ah := gomail.AttachmentHeader{Header: part.Header}
		name, err := ah.Filename()
		if err != nil {
			return err
		}
		p.add(content, media, parsedFile{name, params["name"], media, part.Header.Get("Content-Id"), disposition, sum(content)})
		return nil
	})
	if err != nil {
		t.Errorf("walking: %v", err)
	}
	return p
}

// parsePython asks the email package of Python 3, once for all messages. Without
// one on this machine the test is skipped, but never in continuous integration.
func parsePython(t testing.TB, raws []string) []parsed {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is needed in continuous integration")
		}
		t.Skip("python3 is not installed")
	}
	var in [][]byte
	for _, raw := range raws {
		in = append(in, []byte(raw))
	}
	stdin, err := json.Marshal(in) // []byte becomes base64
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/parse.py")
	cmd.Stdin = bytes.NewReader(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("python: %v\n%s", err, stderr.String())
	}
	var all []parsed
	if err := json.Unmarshal(out.Bytes(), &all); err != nil || len(all) != len(raws) {
		t.Fatalf("python gave %d messages of %d: %v", len(all), len(raws), err)
	}
	for _, p := range all {
		if len(p.Defects) > 0 {
			t.Errorf("python found defects in %q: %v", p.Subject, p.Defects)
		}
	}
	return all
}
