package message_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	gomail "github.com/emersion/go-message/mail"
)

// parsers are three programs that know nothing of each other.
var parsers = map[string]func(t testing.TB, raws []string) []mailtest.Parsed{
	"go": each(mailtest.Parse), "go-message": each(parseGoMessage), "python": parsePython,
}

func each(parse func(testing.TB, string) mailtest.Parsed) func(testing.TB, []string) []mailtest.Parsed {
	return func(t testing.TB, raws []string) (all []mailtest.Parsed) {
		for _, raw := range raws {
			all = append(all, parse(t, raw))
		}
		return all
	}
}

func parseGoMessage(t testing.TB, raw string) mailtest.Parsed {
	e, err := gomessage.Read(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("go-message: %v\n%s", err, raw)
	}
	h := gomail.Header{Header: e.Header}
	p := mailtest.Parsed{Addresses: map[string][][2]string{}}
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
		p.Add(content, media, mailtest.File{
			Name: name, TypeName: params["name"], Type: media, CID: part.Header.Get("Content-Id"),
			Disposition: disposition, SHA256: mailtest.Sum(content),
		})
		return nil
	})
	if err != nil {
		t.Errorf("walking: %v", err)
	}
	return p
}

// parsePython asks the email package of Python 3, once for all messages. Without
// one on this machine the test is skipped, but never in continuous integration.
func parsePython(t testing.TB, raws []string) []mailtest.Parsed {
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
	var all []mailtest.Parsed
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
