package sendmail

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/aliases"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/localname"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

const mutations = 10_000

// The material that mutations are made of.
var (
	someOptions = []string{"-t", "-ti", "-i", "-oi", "-fbounce@contoso.example", "-r<>", "-froot", "-F", "-FName", "-FName\r\nBcc: evil@fabrikam.example",
		"-Nnever", "-Rhdrs", "-Vx\ny", "-bm", "-odb", "-B8BITMIME", "--"}
	someRecipients = []string{"root", "a@contoso.example", "b@contoso.example, c@contoso.example",
		"Group: d@contoso.example;", "-", "", "\"q r\"@contoso.example", "a@contoso.example>\r\nRCPT TO:<evil@fabrikam.example", "root@localhost"}
	someLines = []string{"From: noreply@contoso.example", "From: root (Cron Daemon)", "To: a@contoso.example", "To: root", "Cc: G: b@contoso.example, c@contoso.example;",
		"Bcc: hidden@contoso.example", "bcc : hidden2@contoso.example", "BCC:", " hidden3@contoso.example", "\tfolded@contoso.example", "Resent-To: new@contoso.example",
		"Resent-Bcc: hidden4@contoso.example", "Resent-From: noreply@contoso.example", "Subject: x", "", ".", "..", "From noreply Thu Jan  1 00:00:00 2026",
		">From quoted", "body with ä", "To evil@fabrikam.example", "X: \x80\xff", "To: \"unclosed", "Date: Thu, 01 Jan 2026 00:00:00 +0000", "Message-ID: <1@contoso.example>"}
	someEnds = []string{"\n", "\r\n", "\r", "\n\n", ""}
	noise    = []byte("\x00\r\n\t :;,<>@\"\\().-ä")
)

// trial is one mutated run of sendmail up to the network.
type trial struct {
	args  []string
	input []byte
}

func mutate(r *rand.Rand) trial {
	var c trial
	for _, list := range [][]string{someOptions, someRecipients} {
		for range r.IntN(4) {
			c.args = append(c.args, string(disturb(r, []byte(list[r.IntN(len(list))]))))
		}
	}
	for range r.IntN(14) {
		c.input = append(c.input, someLines[r.IntN(len(someLines))]...)
		c.input = append(c.input, someEnds[min(r.IntN(12), len(someEnds)-1)%len(someEnds)]...)
		if r.IntN(3) > 0 {
			c.input = append(c.input, '\n')
		}
	}
	c.input = disturb(r, c.input)
	return c
}

// disturb changes an octet or two, now and then.
func disturb(r *rand.Rand, b []byte) []byte {
	for len(b) > 0 && r.IntN(7) == 0 {
		i, c := r.IntN(len(b)), noise[r.IntN(len(noise))]
		switch r.IntN(3) {
		case 0:
			b[i] = c
		case 1:
			b = slices.Insert(b, i, c)
		default:
			b = slices.Delete(b, i, i+1)
		}
	}
	return b
}

// prepare does what sendmail does before the network.
func (c trial) prepare(w *rewriter) (*readymessage.Message, *Mail, error) {
	a, err := Parse(c.args)
	if err != nil {
		return nil, nil, err
	}
	var in io.Reader = iotest.HalfReader(bytes.NewReader(c.input))
	if !a.IgnoreDots {
		in = newDotReader(in)
	}
	raw, err := readymessage.Read(context.Background(), in, readymessage.Options{Reencode: readymessage.ReencodeLong})
	if err != nil {
		return nil, nil, err
	}
	r := &run{Options: Options{Arguments: a}, cfg: w.cfg, rewriter: w}
	recipients, err := r.recipients(raw)
	if err != nil {
		return raw, nil, err
	}
	m, err := w.mail(raw, r.requestFor(recipients))
	return raw, m, err
}

func TestTenThousandMutations(t *testing.T) {
	table, err := aliases.Read(strings.NewReader("root: ops@contoso.example\n"))
	if err != nil {
		t.Fatal(err)
	}
	sender, err := address.Parse("", "noreply@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{DefaultDomain: "contoso.example"}
	w := &rewriter{cfg: cfg, names: localname.New(cfg, table), sender: sender}
	r := rand.New(rand.NewPCG(1, 2))
	made := 0
	for range mutations {
		c := mutate(r)
		raw, m, err := c.prepare(w)
		if raw != nil {
			defer raw.Close()
		}
		if err != nil {
			if code := ending.Code(err); code == exit.Bug || code == exit.OK {
				t.Fatalf("%q with %q: exit code %d: %v", c.args, c.input, code, err)
			}
			continue
		}
		made++
		c.check(t, m)
	}
	if made < mutations/20 {
		t.Errorf("only %d of %d mutations made a mail object", made, mutations)
	}
	t.Logf("%d of %d mutations made a mail object", made, mutations)
}

// check looks for what must never be.
func (c trial) check(t *testing.T, m *Mail) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("arguments %q, input %q: %s", c.args, c.input, fmt.Sprintf(format, args...))
	}
	asked := strings.ToLower(strings.Join(c.args, "\n") + "\n" + string(c.input))
	for _, path := range m.Envelope.ForwardPaths {
		local, domain, _ := strings.Cut(path, "@")
		local = strings.ToLower(strings.Trim(local, `"`))
		switch {
		case path == "ops@contoso.example" && strings.Contains(asked, "root"):
		case !strings.Contains(asked, local) && !strings.Contains(strings.ReplaceAll(asked, "\\", ""), local):
			fail("recipient %q was not asked for", path)
		case strings.ContainsAny(path, "\r\n<> "):
			fail("recipient %q breaks out of its command", path)
		case domain == "fabrikam.example" && !strings.Contains(asked, "evil@fabrikam.example"):
			fail("recipient %q", path)
		}
	}
	var content bytes.Buffer
	if _, err := m.Content.WriteTo(&content); err != nil {
		fail("%v", err)
	}
	header, _, _ := bytes.Cut(content.Bytes(), []byte("\r\n\r\n"))
	for line := range strings.Lines(string(header)) {
		name, _, isField := strings.Cut(line, ":")
		if name = strings.ToLower(strings.TrimSpace(name)); isField && line[0] != ' ' && line[0] != '\t' && (name == "bcc" || name == "resent-bcc") {
			fail("the header has %q:\n%s", line, header)
		}
		if bare := strings.TrimSuffix(line, "\r\n"); strings.ContainsAny(bare, "\r\n\x00") {
			fail("line %q of the header", line)
		}
	}
	c.checkAdded(m, content.Bytes(), fail)
}

// checkAdded compares the fields that were put on top with what may be there.
func (c trial) checkAdded(m *Mail, content []byte, fail func(string, ...any)) {
	for _, name := range []string{"From", "Date", "Message-ID"} {
		if !bytes.Contains(bytes.ToLower(content), []byte(strings.ToLower(name)+":")) && !bytes.Contains(bytes.ToLower(content), []byte(strings.ToLower(name)+" ")) {
			fail("no %s:\n%s", name, content)
		}
	}
	first, _, _ := strings.Cut(string(content), "\r\n")
	if strings.HasPrefix(first, "From: ") && !bytes.Contains(c.input, []byte(first)) {
		if list, err := mail.ParseAddressList(strings.TrimPrefix(first, "From: ")); err != nil || len(list) != 1 {
			fail("the new field %q: %v", first, err)
		}
	}
}
