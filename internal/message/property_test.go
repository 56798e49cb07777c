package message_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/mail"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

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
		d.Bcc = []message.Address{{Local: "hidden", Domain: "bcc.example"}}
		d.Subject = hostile.Draw(rt, "subject")
		d.From.Name = hostile.Draw(rt, "name")
		d.Text, d.HTML = hostile.Draw(rt, "text"), hostile.Draw(rt, "html")
		d.Headers = []message.Header{{"X-Note", hostile.Draw(rt, "value")}}
		d.Attachments = []message.Attachment{{Path: path, Name: hostile.Draw(rt, "file"), ContentType: rapid.SampledFrom([]string{"", "", hostile.Draw(rt, "type"), "text/plain; x=\"" + hostile.Draw(rt, "parameter") + `"`}).Draw(rt, "content type")}}
		switch rapid.IntRange(0, 9).Draw(rt, "also") {
		case 0:
			d.To[0].Local = hostile.Draw(rt, "local")
		case 1:
			d.To[0].Domain = hostile.Draw(rt, "domain")
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
			if !errors.As(err, new(*message.FieldError)) {
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

func octetsOf(t *rapid.T, m *message.Mail) string {
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

// TestMutationsOfReadyMessages changes messages at random: no panic, no hang, no Bcc
// left, and what comes out is stable.
func TestMutationsOfReadyMessages(t *testing.T) {
	seeds := []string{
		complete + "To: a@x.example, Team: b@x.example;\r\nBcc: c@x.example,\r\n d@x.example\r\nSubject: =?utf-8?q?x?=\r\n\r\nbody\r\n.\r\n",
		"Resent-To: a@x.example\nResent-Bcc: b@x.example\nBcc: c@x.example\n" + complete + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("y", 1100) + "\n--b--\n",
	}
	pieces := []string{"\r", "\n", "\r\n", ":", " ", "\t", "\x00", "Bcc: q@x.example\r\n", "bCC :\n", "\r\n\r\n", "<", ">", "\"", "(", "--b", "From x\n", "\xe4", strings.Repeat("z", 1200)}
	rng := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 10_000 {
		s := seeds[rng.IntN(len(seeds))]
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(s) + 1)
			cut := min(len(s), at+rng.IntN(8))
			s = s[:at] + pieces[rng.IntN(len(pieces))] + s[cut:]
		}
		raw, err := message.ReadRaw(t.Context(), strings.NewReader(s), message.RawOptions{Reencode: message.ReencodeLong})
		if err != nil {
			if !errors.As(err, new(*message.FieldError)) {
				t.Fatalf("%v is no *FieldError for %q", err, s)
			}
			continue
		}
		taken++
		checkRaw(t, raw, message.RawOptions{Reencode: message.ReencodeLong})
		_ = raw.Close()
	}
	if taken < 1000 {
		t.Errorf("only %d of 10,000 were taken", taken)
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
		raw := octets(t, compose(t, d))
		if got := parseGo(t, raw); len(got.Files) != 1 || got.Files[0].SHA256 != sum(content) {
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
