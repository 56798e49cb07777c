package relay_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/relay/event"
)

// devices are old devices and programs, each by what it does that RFC 5321 does not have
// so. Each gets its message through. The sources are in the manual.
var devices = map[string]struct{ settings, raw string }{
	"HELO only":                        {anyone, "HELO printer\r\n<mail>"},
	"EHLO without a name":              {anyone, "EHLO\r\n<mail>"},
	"EHLO with an underscore":          {anyone, "EHLO my_printer\r\n<mail>"},
	"EHLO with an address as it is":    {anyone, "EHLO 192.0.2.1\r\n<mail>"},
	"no HELO or EHLO":                  {anyone, "<mail>"},
	"tabs in place of blanks":          {anyone, "EHLO\tprinter\t\r\nMAIL\tFROM:\t<a@contoso.example>\t\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"},
	"a semicolon after the address":    {anyone, "HELO x\r\nMAIL FROM:<a@contoso.example>;\r\nRCPT TO:<x@contoso.example>;\r\nDATA\r\n<content>"},
	"a sender at an address":           {"DEFAULT" + anyone, "HELO x\r\nMAIL FROM:<printer@192.168.1.17>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"},
	"a sender at a name of the office": {"DEFAULT" + anyone, "HELO x\r\nMAIL FROM:<printer@my_printer.local>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"},
	"EHLO with blanks":                 {anyone, "EHLO my printer\r\n<mail>"},
	"verbs in lower case":              {anyone, "ehlo x\r\nmail from:<a@contoso.example>\r\nrcpt to:<x@contoso.example>\r\ndata\r\n<content>"},
	"a blank after the colon":          {anyone, "EHLO x\r\nMAIL FROM: <a@contoso.example>\r\nRCPT TO: <x@contoso.example>\r\nDATA\r\n<content>"},
	"addresses without brackets":       {anyone, "EHLO x\r\nMAIL FROM:a@contoso.example\r\nRCPT TO:x@contoso.example\r\nDATA\r\n<content>"},
	"LF alone":                         {anyone, "EHLO x\nMAIL FROM:<a@contoso.example>\nRCPT TO:<x@contoso.example>\nDATA\nSubject: page\n\ntext\r\n.\r\n"},
	"SIZE as garbage":                  {anyone, "EHLO x\r\nMAIL FROM:<a@contoso.example> SIZE=big\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"},
	"8 bits without 8BITMIME":          {anyone, "HELO x\r\nMAIL FROM:<a@contoso.example>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\nSubject: page\r\n\r\n\xe4\xf6\r\n.\r\n"},
	"everything at once":               {anyone, "HELO x\r\nMAIL FROM:<a@contoso.example>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>QUIT\r\n"},
	"MAIL again without RSET":          {anyone, "EHLO x\r\nMAIL FROM:<b@contoso.example>\r\nRCPT TO:<y@contoso.example>\r\n<mail>"},
	"NOOP and RSET in between":         {anyone, "EHLO x\r\n" + strings.Repeat("NOOP\r\nRSET\r\n", 100) + "<mail>"},
	"a null sender":                    {"DEFAULT" + anyone, "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"},
	"a sender without a domain":        {"DEFAULT" + anyone, "HELO x\r\nMAIL FROM:<scanner>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"},
	"a sender at localhost":            {"DEFAULT" + anyone, "HELO x\r\nMAIL FROM:<device@localhost>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"},
	"AUTH LOGIN in lower case":         {signing, "EHLO x\r\nauth login\r\n" + erp + "\r\n" + password1 + "\r\n<mail>"},
	"AUTH LOGIN with the name":         {signing, "EHLO x\r\nAUTH LOGIN " + erp + "\r\n" + password1 + "\r\n<mail>"},
	"AUTH PLAIN in two steps":          {signing, "EHLO x\r\nAUTH PLAIN\r\n" + plainErp + "\r\n<mail>"},
	"AUTH twice":                       {signing, "EHLO x\r\nAUTH PLAIN " + plainErp + "\r\nAUTH PLAIN " + plainErp + "\r\n<mail>"},
	"AUTH before each message":         {signing, "EHLO x\r\nAUTH PLAIN " + plainErp + "\r\nMAIL FROM:<a@contoso.example>\r\nRSET\r\nAUTH PLAIN " + plainErp + "\r\n<mail>"},
	"a user in capitals":               {signing, "EHLO x\r\nAUTH LOGIN RVJQ\r\n" + password1 + "\r\n<mail>"},
	"base64 without its padding":       {signing, "EHLO x\r\nAUTH PLAIN " + strings.TrimRight(plainErp, "=") + "\r\n<mail>"},
	"EHLO again after AUTH":            {signing, "EHLO x\r\nAUTH PLAIN " + plainErp + "\r\nEHLO x\r\n<mail>"},
	"a message after one was refused":  {anyone, "EHLO x\r\nMAIL FROM:<b@contoso.example>\r\nRCPT TO:<root>\r\nDATA\r\n<mail>"},
	"a blank line after the content":   {anyone, "HELO x\r\nMAIL FROM:<a@contoso.example>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>\r\nQUIT\r\n"},
	"parameters that were not offered": {anyone, "HELO x\r\nMAIL FROM:<a@contoso.example> BODY=8BITMIME\r\nRCPT TO:<x@contoso.example> NOTIFY=NEVER\r\nDATA\r\n<content>"},
}

const signing = `{name: erp, user: erp}`

func TestDevicesGetTheirMailThrough(t *testing.T) {
	file := usersFile(t)
	for name, d := range devices {
		t.Run(name, func(t *testing.T) {
			settings, isDefault := strings.CutPrefix(d.settings, "DEFAULT")
			settings = local(settings)
			if isDefault {
				settings = "default_mailbox: noreply@contoso.example\n" + settings
			}
			if d.settings == signing {
				settings = "users_file: users\n" + strings.Replace(settings, "}]", ", policy: auth}]", 1)
			}
			l := newLab(t, settings, with{users: file})
			c := l.dial(localhost)
			mail := "MAIL FROM:<a@contoso.example>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\n<content>"
			c.write(strings.ReplaceAll(strings.ReplaceAll(d.raw, "<mail>", mail), "<content>", "Subject: page\r\n\r\ntext\r\n.\r\n"))
			var said strings.Builder
			for !strings.Contains(said.String(), "queued as") {
				line, err := c.r.ReadString('\n')
				if said.WriteString(line); err != nil {
					t.Fatalf("it was told\n%s", &said)
				}
			}
			l.leave(c) // without QUIT
			if list := l.queued(); len(list) != 1 || list[0].RecipientStates[0].ForwardPath != "x@contoso.example" {
				t.Errorf("%d messages are in the outbox: %+v", len(list), list)
			}
		})
	}
}

// What one server may take for the end of the content, and another not, must be content
// here: else a message could carry another one past the rules for its sender.
func TestNothingIsSmuggled(t *testing.T) {
	const inner = "MAIL FROM:<boss@contoso.example>\r\nRCPT TO:<victim@contoso.example>\r\nDATA\r\nSubject: smuggled\r\n\r\n"
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\n.\r", "\r.\n", "\r.\r\n", "\r\n\x00.\r\n", "\r\r\n.\r\r\n", "\r\n.\r\r\n", "\r\r\n.\r\n"} {
		for _, kind := range []string{"smtp", "smtps", "starttls"} {
			t.Run(fmt.Sprintf("%s %q", kind, end), func(t *testing.T) {
				l := newLab(t, strings.Replace(local(anyone), "smtp:", kind+":", 1), with{})
				c := l.dial(l.first())
				switch kind {
				case "smtps":
					c.startTLS()
				case "starttls":
					c.dialogue(hello + "C: STARTTLS\nS: 220\nT:")
				}
				if kind != "starttls" {
					c.reply()
				}
				c.dialogue("C: EHLO x\nS: 250\n" + mailFrom + "S: 250\nC: RCPT TO:<x@contoso.example>\nS: 250\nC: DATA\nS: 354")
				c.write("Subject: outer\r\n\r\ntext" + end + inner + "\r\n.\r\nQUIT\r\n")
				_, _ = io.ReadAll(c.r)
				for _, m := range l.queued() {
					if m.ReversePath != "a@contoso.example" || len(m.RecipientStates) != 1 || m.RecipientStates[0].ForwardPath != "x@contoso.example" {
						t.Errorf("%s to %v is in the outbox", m.ReversePath, m.RecipientStates)
					}
				}
				if n := len(l.queued()); n > 1 {
					t.Errorf("%d messages are in the outbox", n)
				}
			})
		}
	}
}

func TestProgramsOnAUnixSocketAreKnownByTheirUser(t *testing.T) {
	at := filepath.Join(t.TempDir(), "relay.sock")
	settings := "listeners: [{address: 'unix://%s'}]\nclients: [{name: here, uids: [%d]}]\n"
	l := newLab(t, fmt.Sprintf(settings, at, os.Getuid()), with{})
	c := l.dial("unix://" + at).dialogue(message("Subject: x\n", "250"))
	if head, _ := header(l.content()); !strings.Contains(head, fmt.Sprintf("from device (uid %d) by ", os.Getuid())) {
		t.Errorf("got\n%s", head)
	}
	if v := l.leave(c); !v.Unix || int(v.UID) != os.Getuid() {
		t.Errorf("visit %+v", v)
	}
	l.settings(fmt.Sprintf(settings, at, os.Getuid()+1))
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	l.dial("unix://" + at).dialogue(hello + mailFrom + fmt.Sprintf("S: 550 5.7.1 uid %d belongs to no client", os.Getuid()))
}

func TestClientsBehindAProxyAreKnownByTheirAddress(t *testing.T) {
	l := newLab(t, "listeners: [{address: 'smtp://127.0.0.1:0', policy: ip, proxy_protocol_from: [127.0.0.1]}]\nclients: [{name: far, networks: [10.1.2.0/24]}]", with{})
	proxied := func(client byte) *client {
		c := l.dial(localhost)
		c.write("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x01\x02" + string([]byte{client}) + "\x7f\x00\x00\x01\x10\x00\x00\x19")
		return c
	}
	c := proxied(7).dialogue(message("Subject: x\n", "250"))
	if head, _ := header(l.content()); !strings.Contains(head, "from device ([10.1.2.7]) by ") {
		t.Errorf("got\n%s", head)
	}
	if v := l.leave(c); v.Place() != "10.1.2.7" {
		t.Errorf("visit of %s", v.Place())
	}
	direct, err := net.Dial("tcp", l.relay.Addr(localhost).String())
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	_, _ = io.WriteString(direct, "EHLO someone-without-a-header\r\n")
	if said, _ := io.ReadAll(direct); len(said) > 0 {
		t.Errorf("it was told %q", said)
	}
	for r := range l.told {
		if r.Code == event.ProxyHeader {
			break
		}
	}
}
