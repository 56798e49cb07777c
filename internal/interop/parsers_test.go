//go:build linux

package interop_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	gomail "github.com/emersion/go-message/mail"
)

// parsed is what a parser found in a message, in a form that can be compared.
type parsed struct {
	Subject  string      `json:"subject"`
	From, To [][2]string // name, address
	Text     string      `json:"text"`
	HTML     string      `json:"html"`
	Files    []file      `json:"files"`
}

type file struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	SHA256 string `json:"sha256"`
}

func sum(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}

// sameEverywhere compares what three parsers, which know nothing of each other,
// find in raw with what was sent.
func sameEverywhere(t *testing.T, raw string, want parsed) {
	t.Helper()
	need(t, "python3")
	parsers := []struct {
		name  string
		parse func(testing.TB, string) parsed
	}{
		{"go-message", parseGoMessage},
		{"Python's email", func(t testing.TB, raw string) parsed {
			return parseBy(t, exec.Command("python3", "testdata/parse.py"), raw)
		}},
		{"mailparser", func(t testing.TB, raw string) parsed { return parseBy(t, node(t, "parse.js"), raw) }},
	}
	want.Text, want.HTML = lines(want.Text), lines(want.HTML)
	for _, p := range parsers {
		got := p.parse(t, raw)
		got.Text, got.HTML = lines(got.Text), lines(got.HTML)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s found\n%+v\nwant\n%+v", p.name, got, want)
		}
	}
}

// lines leaves differences out that are the parsers': CRLF or LF, and the line
// end before a boundary.
func lines(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
}

// parseBy has a program parse raw.
func parseBy(t testing.TB, cmd *exec.Cmd, raw string) (p parsed) {
	t.Helper()
	cmd.Stdin = strings.NewReader(raw)
	r := finish(t, cmd)
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil || r.code != 0 {
		t.Fatalf("parsing by %v: %v\n%v", cmd.Args, err, r)
	}
	return p
}

func parseGoMessage(t testing.TB, raw string) (p parsed) {
	t.Helper()
	entity, err := gomessage.Read(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	h := gomail.Header{Header: entity.Header}
	if p.Subject, err = h.Subject(); err != nil {
		t.Error(err)
	}
	for field, list := range map[string]*[][2]string{"From": &p.From, "To": &p.To} {
		addresses, err := h.AddressList(field)
		if err != nil {
			t.Error(err)
		}
		for _, a := range addresses {
			*list = append(*list, [2]string{a.Name, a.Address})
		}
	}
	err = entity.Walk(func(_ []int, part *gomessage.Entity, err error) error {
		if err != nil {
			return err
		}
		return p.add(part)
	})
	if err != nil {
		t.Errorf("walking: %v", err)
	}
	return p
}

func (p *parsed) add(part *gomessage.Entity) error {
	media, _, err := part.Header.ContentType()
	if err != nil || strings.HasPrefix(media, "multipart/") {
		return err
	}
	content, err := io.ReadAll(part.Body)
	if err != nil {
		return err
	}
	disposition, _, _ := part.Header.ContentDisposition() // absent: no attachment
	switch {
	case disposition == "attachment":
		name, err := (&gomail.AttachmentHeader{Header: part.Header}).Filename()
		p.Files = append(p.Files, file{name, media, sum(content)})
		return err
	case media == "text/html":
		p.HTML = string(content)
	default:
		p.Text = string(content)
	}
	return nil
}
