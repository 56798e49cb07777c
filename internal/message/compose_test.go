package message_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"
	"github.com/smtpsend/smtpsend/internal/ownfile"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/message"
)

func addrs(t testing.TB, list string) []address.Address {
	t.Helper()
	as, err := address.ParseList("To", list)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

func addr(t testing.TB, s string) address.Address { t.Helper(); return addrs(t, s)[0] }

// draft has what every message needs.
func draft(t testing.TB) message.Draft {
	t.Helper()
	return message.Draft{From: addr(t, "Build <build@contoso.example>"), To: addrs(t, "a@contoso.example"), Subject: "hi", Text: "hi\n",
		Date: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
}

func compose(t testing.TB, d message.Draft) *message.Composed {
	t.Helper()
	m, err := message.Compose(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestComposeWritesTheSimplestMessage(t *testing.T) {
	d := draft(t)
	d.MessageID = "1@contoso.example"
	got := mailtest.Octets(t, compose(t, d).Mail)
	want := "From: Build <build@contoso.example>\r\nTo: a@contoso.example\r\nSubject: hi\r\n" +
		"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nMessage-ID: <1@contoso.example>\r\n" +
		"Content-Transfer-Encoding: 7bit\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nhi\r\n"
	if got != want {
		t.Errorf("content:\n%q\nwant:\n%q", got, want)
	}
}

func TestComposeFillsTheEnvelope(t *testing.T) {
	d := draft(t)
	d.To = addrs(t, "A <a@contoso.example>, b@CONTOSO.example")
	d.Cc = addrs(t, "b@contoso.EXAMPLE, B@contoso.example")
	d.Bcc = addrs(t, "geheim@bücher.example, a@contoso.example")
	m := compose(t, d)
	if got, want := strings.Join(m.Envelope.ForwardPaths, " "), "a@contoso.example b@CONTOSO.example B@contoso.example geheim@xn--bcher-kva.example"; got != want {
		t.Errorf("forward-paths %s, want %s", got, want)
	}
	if m.Envelope.ReversePath != "build@contoso.example" || m.NeedsSMTPUTF8() {
		t.Errorf("reverse-path %q, NeedsSMTPUTF8 %v", m.Envelope.ReversePath, m.NeedsSMTPUTF8())
	}
	if s := mailtest.Octets(t, m.Mail); strings.Contains(s, "geheim") || strings.Contains(s, "Bcc") {
		t.Errorf("Bcc in the content:\n%s", s)
	}
	d.Mailbox = addr(t, "shared@contoso.example")
	if m := compose(t, d); m.Envelope.ReversePath != "shared@contoso.example" {
		t.Errorf("reverse-path %q, want the mailbox", m.Envelope.ReversePath)
	}
}

func TestComposeWithBccAloneNamesNobody(t *testing.T) {
	d := draft(t)
	d.To, d.Bcc = nil, addrs(t, "geheim@contoso.example")
	m := compose(t, d)
	if s := mailtest.Octets(t, m.Mail); !strings.Contains(s, "\r\nTo: undisclosed-recipients:;\r\n") || strings.Contains(s, "geheim@contoso.example") {
		t.Errorf("content:\n%s", s)
	}
}

func TestNonASCIILocalPartNeedsSMTPUTF8(t *testing.T) {
	d := draft(t)
	d.To = addrs(t, "jörg@contoso.example")
	m := compose(t, d)
	mailtest.Octets(t, m.Mail)
	if !m.NeedsSMTPUTF8() || !m.Content.EightBit() {
		t.Errorf("NeedsSMTPUTF8 %v, EightBit %v", m.NeedsSMTPUTF8(), m.Content.EightBit())
	}
	d = draft(t)
	d.Subject, d.Text, d.From.Name = "Grüße", "日本語", "Жук"
	if m := compose(t, d); m.NeedsSMTPUTF8() || m.Content.EightBit() {
		t.Errorf("encoded text: NeedsSMTPUTF8 %v, EightBit %v", m.NeedsSMTPUTF8(), m.Content.EightBit())
	}
}

func TestMessageIDIsRandomInTheDomainOfFrom(t *testing.T) {
	a, b := compose(t, draft(t)), compose(t, draft(t))
	if a.MessageID == b.MessageID || !regexp.MustCompile(`^<[a-z2-7]{26}@contoso\.example>$`).MatchString(a.MessageID) {
		t.Errorf("Message-IDs %s and %s", a.MessageID, b.MessageID)
	}
	s := mailtest.Octets(t, a.Mail)
	if !strings.Contains(s, "\r\nMessage-ID: "+a.MessageID+"\r\n") {
		t.Errorf("content has another Message-ID:\n%s", s)
	}
	host, _ := os.Hostname()
	if lower := strings.ToLower(s); (len(host) > 4 && strings.Contains(s, host)) || strings.Contains(lower, "go-mail") || strings.Contains(lower, "user-agent") {
		t.Errorf("content tells about this host or its programs:\n%s", s)
	}
}

func TestWriteToGivesTheSameOctetsEachTime(t *testing.T) {
	d := draft(t)
	d.HTML = "<p>hi"
	d.Attachments = []message.Attachment{{Path: file(t, "a.bin", strings.Repeat("x\x00\xff", 50_000))}, {Path: file(t, "empty.txt", "")}}
	m := compose(t, d)
	if first, second := mailtest.Octets(t, m.Mail), mailtest.Octets(t, m.Mail); first != second {
		t.Error("second writing differs from the first")
	}
}

func TestComposeRefusesFields(t *testing.T) {
	local, err := address.ParseLenient("To", "root")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*message.Draft)
		want   string
	}{
		"no From":         {func(d *message.Draft) { d.From = address.Address{} }, `From: no address`},
		"no recipients":   {func(d *message.Draft) { d.To = nil }, `recipients: none; at least one of To, Cc and Bcc is needed`},
		"LF in subject":   {func(d *message.Draft) { d.Subject = "a\nBcc: x@y" }, `Subject "a\nBcc: x@y": a line feed at octet 2: a field is one line`},
		"CR in value":     {func(d *message.Draft) { d.Headers = []message.Header{{"X-A", "b\rc"}} }, `header X-A "b\rc": a carriage return at octet 2: a field is one line`},
		"NUL in value":    {func(d *message.Draft) { d.Headers = []message.Header{{"X-A", "b\x00"}} }, `header X-A "b\x00": a NUL at octet 2: a field is one line`},
		"LF in name":      {func(d *message.Draft) { d.Headers = []message.Header{{"X-A: b\nBcc", "c"}} }, `header "X-A: b\nBcc": a line feed at octet 7: a field is one line`},
		"blank in name":   {func(d *message.Draft) { d.Headers = []message.Header{{"X A", "c"}} }, `header "X A": ' ' cannot be used in a header name`},
		"umlaut in name":  {func(d *message.Draft) { d.Headers = []message.Header{{"Xä", "c"}} }, `header "Xä": 'ä' cannot be used in a header name`},
		"empty name":      {func(d *message.Draft) { d.Headers = []message.Header{{"", "c"}} }, `header "c": no name before the colon`},
		"owned subject":   {func(d *message.Draft) { d.Headers = []message.Header{{"SUBJECT", "c"}} }, `header SUBJECT "c": cannot be an extra header field`},
		"owned bcc":       {func(d *message.Draft) { d.Headers = []message.Header{{"bcc", "c@d"}} }, `header bcc "c@d": cannot be an extra header field`},
		"owned content":   {func(d *message.Draft) { d.Headers = []message.Header{{"Content-Language", "de"}} }, `header Content-Language "de": is set by the composer for each part`},
		"resent":          {func(d *message.Draft) { d.Headers = []message.Header{{"Resent-Bcc", "c@d"}} }, `header Resent-Bcc "c@d": cannot be added to a new message`},
		"LF in name part": {func(d *message.Draft) { d.From.Name = "x\r\nBcc: y@z" }, `From "x\r\nBcc: y@z": a carriage return at octet 2: a field is one line`},
		"local mailbox":   {func(d *message.Draft) { d.Mailbox = local[0] }, `mailbox "root": no @ and domain`},
		"bad Message-ID":  {func(d *message.Draft) { d.MessageID = "<a b@c>" }, `Message-ID "<a b@c>": holds a character that is not allowed in it`},
		"Message-ID, two": {func(d *message.Draft) { d.MessageID = "abc" }, `Message-ID "abc": must look like <left@right>`},
	} {
		d := draft(t)
		tt.change(&d)
		_, err := message.Compose(t.Context(), d)
		var fe *badinput.FieldError
		if !errors.As(err, &fe) || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: err = %v, want %s", name, err, tt.want)
		}
	}
}

func TestComposeRefusesFiles(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		path  string
		want  string
		cause error
	}{
		"missing":   {filepath.Join(dir, "none.pdf"), `none.pdf": no such file or directory`, fs.ErrNotExist},
		"directory": {dir, `": is not a regular file but a directory`, ownfile.ErrNotRegular},
		"device":    {os.DevNull, `file "/dev/null": is not a regular file but a device`, ownfile.ErrNotRegular},
		"no size":   {"/proc/self/status", `contains more than its size says, as files in /proc do; copy it first`, message.ErrSizeUnknown},
		"socket":    {socket(t), `": is not a regular file but a socket`, ownfile.ErrNotRegular},
	} {
		d := draft(t)
		d.Attachments = []message.Attachment{{Path: file(t, "fine.txt", "x")}, {Path: tt.path}}
		_, err := message.Compose(t.Context(), d)
		var fe *badinput.FileError
		if !errors.As(err, &fe) || fe.Path != tt.path || !errors.Is(err, tt.cause) || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: err = %v, want *FileError ... %s", name, err, tt.want)
		}
	}
}

func socket(t *testing.T) string {
	dir, err := os.MkdirTemp("", "m") // t.TempDir is too long for a socket name on some systems
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return path
}

func TestWriteToFailsWhenAFileChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"shorter":       func(p string) error { return os.Truncate(p, 10) },
		"longer":        func(p string) error { return appendTo(p, "more") },
		"other content": func(p string) error { return os.Chtimes(p, time.Now(), time.Now().Add(time.Hour)) },
	} {
		path := file(t, "log.txt", strings.Repeat("line\n", 1000))
		d := draft(t)
		d.Attachments = []message.Attachment{{Path: path}}
		m := compose(t, d)
		mailtest.Octets(t, m.Mail)
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		n, err := m.Content.WriteTo(&b)
		var fe *badinput.FileError
		if !errors.As(err, &fe) || fe.Path != path || !errors.Is(err, message.ErrFileChanged) || n >= m.Content.Size() {
			t.Errorf("%s: WriteTo = %d, %v, want *FileError", name, n, err)
		}
	}
}

func appendTo(path, s string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s)
	return errors.Join(err, f.Close())
}

func TestWriteToReturnsTheWritersError(t *testing.T) {
	d := draft(t)
	d.Attachments = []message.Attachment{{Path: file(t, "a.bin", strings.Repeat("x", 200_000))}}
	m := compose(t, d)
	broken := errors.New("broken pipe")
	for limit := range 5 {
		w := &failingWriter{left: limit * 40_000, err: broken}
		if _, err := m.Content.WriteTo(w); !errors.Is(err, broken) {
			t.Errorf("limit %d: err = %v, want that of the writer", limit, err)
		}
	}
}

type failingWriter struct {
	left int
	err  error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}
