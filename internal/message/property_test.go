package message_test

import (
	"errors"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/message"
)

// hostile is what attackers and accidents put into fields.
var hostile = rapid.OneOf(
	rapid.String(),
	rapid.StringOf(rapid.RuneFrom([]rune("aZ \t\r\n\x00:;,<>@\"\\=?_.()äЖ日😀\u202e\u2028"))),
	rapid.SampledFrom([]string{"\r\nBcc: evil@evil.example", "\nBcc: evil@evil.example\n", "\r\n\r\nbody", "x\r\n.\r\n", "=?utf-8?q?=0D=0ABcc:_evil?=", "a\x00b", strings.Repeat("x", 2000), strings.Repeat(" ", 300) + "x"}),
)

// TestNoFieldEscapes fills every field with hostile text: the draft is refused,
// or the header section has the fields that were asked for and no other.
func TestNoFieldEscapes(t *testing.T) {
	path := file(t, "a.bin", "x")
	composed := 0
	rapid.Check(t, func(rt *rapid.T) {
		hostile := hostile
		if rapid.IntRange(0, 2).Draw(rt, "printable") > 0 { // most, so that many pass the checks
			hostile = rapid.Map(hostile, func(s string) string { return strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(s) })
		}
		d := draft(t)
		d.Bcc = []address.Address{address.MustParse("hidden@bcc.example")}
		d.Subject = hostile.Draw(rt, "subject")
		d.From.Name = hostile.Draw(rt, "name")
		d.Text, d.HTML = hostile.Draw(rt, "text"), hostile.Draw(rt, "html")
		d.Headers = []message.Header{{"X-Note", hostile.Draw(rt, "value")}}
		d.Attachments = []message.Attachment{{Path: path, Name: hostile.Draw(rt, "file"), ContentType: rapid.SampledFrom([]string{"", "", hostile.Draw(rt, "type"), "text/plain; x=\"" + hostile.Draw(rt, "parameter") + `"`}).Draw(rt, "content type")}}
		switch rapid.IntRange(0, 9).Draw(rt, "also") {
		case 0:
			if list, err := address.ParseLenient("To", hostile.Draw(rt, "list")); err == nil && len(list) > 0 {
				d.To = list
			}
		case 1:
			if a, err := d.To[0].At("To", hostile.Draw(rt, "domain")); err == nil {
				d.To[0] = a
			}
		case 2:
			d.Headers[0].Name = hostile.Draw(rt, "header")
		case 3:
			d.MessageID = hostile.Draw(rt, "id")
		case 4:
			d.References = []string{hostile.Draw(rt, "reference")}
		case 5:
			d.ListUnsubscribe = []string{hostile.Draw(rt, "unsubscribe")}
		case 6:
			d.HTML, d.Inline = "x", []message.Inline{{CID: hostile.Draw(rt, "cid"), Path: path}}
		}
		m, err := message.Compose(t.Context(), d)
		if err != nil {
			if !errors.As(err, new(*badinput.FieldError)) {
				rt.Fatalf("%v is no *FieldError", err)
			}
			return
		}
		defer m.Close()
		composed++
		checkFields(rt, octetsOf(rt, m), d)
	})
	t.Logf("%d drafts were composed", composed)
	if composed == 0 {
		t.Error("every draft was refused")
	}
}

func octetsOf(t *rapid.T, m *message.Composed) string {
	var b strings.Builder
	if n, err := m.Content.WriteTo(&b); err != nil || n != m.Content.Size() {
		t.Fatalf("WriteTo = %d, %v, Size %d", n, err, m.Content.Size())
	}
	return b.String()
}

func checkFields(t *rapid.T, raw string, d message.Draft) {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%v\n%q", err, raw)
	}
	allowed := []string{"From", "To", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type", "References", "List-Unsubscribe", "List-Unsubscribe-Post"}
	for name, values := range m.Header {
		if !slices.Contains(allowed, name) && !strings.EqualFold(name, d.Headers[0].Name) || len(values) != 1 {
			t.Errorf("field %s: %q", name, values)
		}
	}
	header, body, _ := strings.Cut(raw, "\r\n\r\n")
	for line := range strings.SplitSeq(raw, "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("line %q", line)
		}
	}
	if strings.Contains(header, "bcc.example") || strings.Contains(body, "bcc.example") {
		t.Errorf("Bcc in the content:\n%s", raw)
	}
}

// TestAttachmentsOfEverySizeAreIntact goes over the edges of lines and chunks.
func TestAttachmentsOfEverySizeAreIntact(t *testing.T) {
	const chunk = 57 * 512
	for _, n := range []int{0, 1, 2, 3, 4, 55, 56, 57, 58, 113, 114, 115, chunk - 1, chunk, chunk + 1, 3*chunk + 29} {
		content := make([]byte, n)
		for i := range content {
			content[i] = byte(i * 7)
		}
		d := draft(t)
		d.Attachments = []message.Attachment{{Path: file(t, "a.bin", string(content)), ContentType: "application/x-test"}}
		raw := mailtest.Octets(t, compose(t, d).Mail)
		if got := mailtest.Parse(t, raw); len(got.Files) != 1 || got.Files[0].SHA256 != mailtest.Sum(content) {
			t.Errorf("%d octets are not intact", n)
		}
		_, body, _ := strings.Cut(raw, " name=\"a.bin\"\r\n\r\n")
		if first, _, _ := strings.Cut(body, "\r\n"); n >= 57 && len(first) != 76 {
			t.Errorf("%d octets: line of %d", n, len(first))
		}
	}
}

// TestMemoryDoesNotGrowWithAttachments writes 100 MB in under 1 MB.
func TestMemoryDoesNotGrowWithAttachments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.bin")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 100_000_000); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := draft(t)
	d.Attachments = []message.Attachment{{Path: path}}
	m := compose(t, d)
	n, err := m.Content.WriteTo(io.Discard)
	runtime.ReadMemStats(&after)
	if err != nil || n != m.Content.Size() || n < 136_000_000 {
		t.Errorf("WriteTo = %d, %v, Size %d", n, err, m.Content.Size())
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d octets allocated", used)
	}
}
