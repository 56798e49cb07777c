//go:build linux

package interop_test

import (
	"encoding/json"
	"net/smtp"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	sandboxfault "github.com/smtpsend/smtpsend/internal/sandbox/fault"
)

const (
	subject = "Prüfbericht Nr. 7 – 検査報告 ✓ (Größe, Qualität, Übergabe an die zuständige Abteilung, dritter Entwurf)"
	text    = "Grüße aus Köln,\n\n.\n..\nFrom here on: " + "naïve café — 漢字かな交じり文 🎉\n" + "Ende."
	html    = "<p>Grüße aus <b>Köln</b> — 漢字 🎉</p>"
)

// compose writes two attachments below a new directory and returns the arguments
// of send for a message that has something of everything, and what parsers must
// find in it.
func compose(t *testing.T, to string) (args []string, want parsed) {
	t.Helper()
	dir := t.TempDir()
	every := make([]byte, 70_001)
	for i := range every {
		every[i] = byte(i * i / 7)
	}
	want = parsed{
		Subject: subject, Text: text, HTML: html,
		From: [][2]string{{"Jürgen Groß, Einkauf", "noreply@contoso.example"}},
		To:   [][2]string{{"Zoë 山田", to}},
	}
	args = []string{
		"send", "--trace", "--subject", subject, "--text", text, "--html", html,
		"--from", `"Jürgen Groß, Einkauf" <noreply@contoso.example>`, "--to", `"Zoë 山田" <` + to + ">",
	}
	for _, f := range []struct {
		name, media string
		content     []byte
	}{{"Übersicht – Größen 検査.bin", "application/octet-stream", every}, {"leer.txt", "text/plain", nil}} {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, f.content, 0o600); err != nil {
			t.Fatal(err)
		}
		want.Files = append(want.Files, file{f.name, f.media, sum(f.content)})
		args = append(args, "--attach", path)
	}
	return args, want
}

// wantExit checks how smtpsend ended and that each of words is in its output.
func wantExit(t *testing.T, r result, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%v", r.code, code, r)
	}
	for _, word := range words {
		if !strings.Contains(r.stdout+r.stderr, word) {
			t.Errorf("output lacks %q\n%v", word, r)
		}
	}
}

// twoSteps is the trace of a token that answers an empty challenge.
const twoSteps = "C: AUTH XOAUTH2\nS: 334 \nC: [redacted, "

func TestPostfixWithDovecot(t *testing.T) {
	box, other := start(t, sandbox.Options{}), start(t, sandbox.Options{})
	p := startPostfix(t, box)
	settings := at(t, box, p.port, p.cert)

	t.Run("delivers what was sent", func(t *testing.T) {
		args, want := compose(t, "whole@fabrikam.example")
		r := newClient(t, box, settings...).run(t, "", args...)
		wantExit(t, r, 0, "accepted      whole@fabrikam.example  250 2.0.0 Ok: queued as ", twoSteps)
		sameEverywhere(t, p.delivered(t, "whole"), want)
	})
	t.Run("takes small content with MAIL", func(t *testing.T) {
		c := newClient(t, box, settings...)
		said := ".\n..\nWith BDAT no dot is doubled.\n"
		r := c.run(t, said, "send", "--trace", "--to", "chunk@fabrikam.example")
		wantExit(t, r, 0, "accepted      chunk@fabrikam.example  250 2.0.0 Ok: ", "queue id:     ", "C: BDAT ")
		if mail := p.delivered(t, "chunk"); !strings.HasSuffix(mail, "\n\n"+said) {
			t.Errorf("delivered %q", mail)
		}
		r = c.run(t, said, "send", "--trace", "--no-chunking", "--to", "dot@fabrikam.example")
		wantExit(t, r, 0, "accepted      dot@fabrikam.example  250 2.0.0 Ok: queued as ", "C: DATA")
		p.delivered(t, "dot")
	})
	t.Run("refuses every recipient of small content", func(t *testing.T) {
		r := newClient(t, box, settings...).run(t, "hi", "send", "--trace", "--to", "closed@fabrikam.example")
		wantExit(t, r, 67, "refused       closed@fabrikam.example  554 5.7.1 ", "C: BDAT ")
	})
	t.Run("takes a group without pipelining", func(t *testing.T) {
		r := newClient(t, box, settings...).run(t, "hi", "send", "--no-pipelining", "--to", "single@fabrikam.example")
		wantExit(t, r, 0, "accepted      single@fabrikam.example")
		p.delivered(t, "single")
	})
	t.Run("refuses a token of another tenant", func(t *testing.T) {
		r := newClient(t, other, at(t, other, p.port, p.cert)...).run(t, "hi", "send", "--to", "forged@fabrikam.example")
		wantExit(t, r, 77, "said: 535 5.7.8 Error: authentication failed", `status "401"`)
		if mail := p.mailFor(t, "forged"); mail != nil {
			t.Errorf("delivered %q", mail)
		}
	})
	t.Run("refuses an expired token", func(t *testing.T) {
		o := sandbox.Options{Faults: []sandboxfault.Fault{{Name: "token-expired"}}}
		box := start(t, o)
		r := newClient(t, box, at(t, box, p.port, p.cert)...).run(t, "hi", "send", "--to", "late@fabrikam.example")
		wantExit(t, r, 75, "The access token has expired", "said: 535 5.7.8 Error: authentication failed")
	})
	t.Run("takes the mailbox as reverse-path, whatever From says", func(t *testing.T) {
		r := newClient(t, box, settings...).run(t, "hi", "send", "--mailbox", "a@contoso.example", "--from", "b@contoso.example",
			"--to", "mine@fabrikam.example")
		wantExit(t, r, 0, "accepted      mine@fabrikam.example")
		if mail := p.delivered(t, "mine"); !strings.HasPrefix(mail, "Return-Path: <a@contoso.example>\n") {
			t.Errorf("delivered %q", mail)
		}
	})
	t.Run("refuses one of two recipients", func(t *testing.T) {
		r := newClient(t, box, settings...).run(t, "hi", "send", "--to", "closed@fabrikam.example,open@fabrikam.example")
		wantExit(t, r, 3, "refused       closed@fabrikam.example  554 5.7.1 <closed@fabrikam.example>: Recipient address rejected: Mailbox is closed",
			"accepted      open@fabrikam.example  250 2.0.0 Ok: ", " bytes queued as ") // its words after BDAT
		p.delivered(t, "open")
	})
	t.Run("offers no AUTH in clear", func(t *testing.T) {
		r := newClient(t, box, append(settings, "SMTP_SECURITY=0")...).run(t, "hi", "send", "--to", "clear@fabrikam.example")
		wantExit(t, r, 76, "AUTH XOAUTH2")
	})
	t.Run("Dovecot's own submission service relays", func(t *testing.T) {
		args, want := compose(t, "relayed@fabrikam.example")
		r := newClient(t, box, at(t, box, p.submission, p.cert)...).run(t, "", args...)
		wantExit(t, r, 0, "accepted      relayed@fabrikam.example", twoSteps)
		sameEverywhere(t, p.delivered(t, "relayed"), want)
	})
	t.Run("Dovecot's own submission service takes no token in one line", func(t *testing.T) {
		// Which is why smtpsend answers an empty challenge instead.
		if reply := p.authInOneLine(t, newClient(t, box)); reply != "500 5.5.2 Line too long" {
			t.Errorf("it said %q", reply)
		}
	})
}

// authInOneLine sends AUTH with the initial response to Dovecot's submission
// service, as Exchange takes it, and returns the reply.
func (p *postfix) authInOneLine(t *testing.T, c *client) string {
	t.Helper()
	r := c.run(t, "", "token", "--xoauth2")
	conn, err := smtp.Dial("127.0.0.1:" + p.submission)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.StartTLS(trusting(t, filepath.Join(p.dir, "cert.pem"))); err != nil {
		t.Fatal(err)
	}
	if err := conn.Text.PrintfLine("AUTH XOAUTH2 %s", strings.TrimSpace(r.stdout)); err != nil {
		t.Fatal(err)
	}
	reply, err := conn.Text.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestNodemailerServer(t *testing.T) {
	box, other := start(t, sandbox.Options{}), start(t, sandbox.Options{})
	dir := t.TempDir()
	cert := certificate(t, dir)
	keys, _ := publicKeys(t, box)
	options, err := json.Marshal(map[string]any{
		"cert": filepath.Join(dir, "cert.pem"), "key": filepath.Join(dir, "key.pem"), "keys": keys,
		"audience": "https://outlook.office365.com", "appid": box.ClientID(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s, line := serve(t, node(t, "smtp-server.js", string(options)), "listening on ")
	port := strings.TrimPrefix(line, "listening on ")
	settings := at(t, box, port, cert)

	t.Run("takes what was sent", func(t *testing.T) {
		args, want := compose(t, "whole@fabrikam.example")
		r := newClient(t, box, settings...).run(t, "", args...)
		wantExit(t, r, 0, "accepted      whole@fabrikam.example", twoSteps)
		var mail struct {
			User, From string
			To         []string
			Content    []byte
		}
		if err := json.Unmarshal([]byte(s.await(t, `"user":`)), &mail); err != nil {
			t.Fatal(err)
		}
		if mail.User != "noreply@contoso.example" || mail.From != mail.User || !reflect.DeepEqual(mail.To, []string{"whole@fabrikam.example"}) {
			t.Errorf("envelope %+v", mail)
		}
		sameEverywhere(t, string(mail.Content), want)
	})
	t.Run("refuses a token of another tenant", func(t *testing.T) {
		r := newClient(t, other, at(t, other, port, cert)...).run(t, "hi", "send", "--to", "forged@fabrikam.example")
		wantExit(t, r, 77, "said: 535", `status "401"`)
		s.await(t, "refused noreply@contoso.example: signed by another key")
	})
	t.Run("wants STARTTLS first", func(t *testing.T) {
		r := newClient(t, box, append(settings, "SMTP_SECURITY=0")...).run(t, "hi", "send", "--to", "clear@fabrikam.example")
		wantExit(t, r, 77, "said: 538 Error: Must issue a STARTTLS command first")
	})
}
