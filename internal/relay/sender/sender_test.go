package sender_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/sender"
)

// file is a settings file with one client.
func file(t testing.TB, top, client string) *relayfile.File {
	t.Helper()
	f, err := relayfile.Parse([]byte("users_file: u\nlisteners: [{address: 'smtps://0.0.0.0', policy: auth}]\n" +
		top + "\nclients: [{name: c, user: u" + client + "}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const rules = `
domain: contoso.com
senders:
  - {from: scanner@old.example, mailbox: scans@contoso.com}
  - {from: "*@old.example", mailbox: noreply@contoso.com, force: true}
  - {from: root@nas, mailbox: nas@contoso.com}
`

// nothing, spare and null are tops of files; each has a domain but for nothing.
const (
	nothing = ""
	domain  = "domain: contoso.com"
	spare   = "domain: contoso.com\ndefault_mailbox: noreply@contoso.com"
	null    = "senders: [{from: <>, mailbox: status@contoso.com, force: true}]"
)

func TestTheMailboxFollowsTheSender(t *testing.T) {
	for _, c := range []struct {
		top, client, account string
		mail                 string
		want                 string // mailbox and reverse-path, or the reason
	}{
		// Without a rule.
		{nothing, "", "", "a@contoso.com", "a@contoso.com a@contoso.com"},
		{nothing, "", "", "A@bücher.example", "A@xn--bcher-kva.example A@xn--bcher-kva.example"},
		{nothing, "", "box@contoso.com", "a@contoso.com", "box@contoso.com a@contoso.com"},
		{nothing, ", force: true", "box@contoso.com", "a@contoso.com", "box@contoso.com box@contoso.com"},
		{nothing, "", "", "a b c", "sender_unreadable"},
		{nothing, "", "", "a@b.example, c@d.example", "sender_unreadable"},
		{nothing, "", "", "a@b.example\r\nRCPT TO:<x@y>", "sender_unreadable"},
		// A client's mailbox, and its senders.
		{rules, ", mailbox: box@contoso.com", "x@contoso.com", "a@old.example", "box@contoso.com a@old.example"},
		{nothing, ", mailbox: box@contoso.com, force: true", "", "a@old.example", "box@contoso.com box@contoso.com"},
		{nothing, ", senders: [a@contoso.com]", "", "A@CONTOSO.com", "A@CONTOSO.com A@CONTOSO.com"},
		{nothing, ", senders: [a@contoso.com]", "", "b@contoso.com", "sender_not_allowed"},
		{nothing, ", senders: [a@contoso.com], mailbox: b@contoso.com, force: true", "", "b@other.example", "sender_not_allowed"},
		// Rules: the first that matches.
		{rules, "", "", "scanner@old.example", "scans@contoso.com scanner@old.example"},
		{rules, "", "x@contoso.com", "other@old.example", "noreply@contoso.com noreply@contoso.com"},
		{rules, ", force: true", "", "scanner@old.example", "scans@contoso.com scans@contoso.com"},
		{rules, "", "", "a@contoso.com", "a@contoso.com a@contoso.com"},
		{rules, "", "", "root@nas", "nas@contoso.com root@contoso.com"},
		{rules, ", senders: [a@contoso.com]", "", "root@nas", "nas@contoso.com nas@contoso.com"},
		// The null reverse-path.
		{domain, "", "", "", "no_mailbox"},
		{domain, "", "", "<>", "no_mailbox"},
		{spare, "", "", "<>", "noreply@contoso.com noreply@contoso.com"},
		{spare, ", senders: [a@contoso.com, b@contoso.com]", "", "<>", "noreply@contoso.com noreply@contoso.com"},
		{spare, ", senders: [a@contoso.com]", "", "<>", "a@contoso.com a@contoso.com"}, // it can mean no other
		{rules, ", senders: [scanner@old.example]", "", "<>", "scans@contoso.com scanner@old.example"},
		{null, "", "", "<>", "status@contoso.com status@contoso.com"},
		{nothing, "", "box@contoso.com", "", "box@contoso.com box@contoso.com"},
		{nothing, ", mailbox: box@contoso.com", "", "", "box@contoso.com box@contoso.com"},
		// Names without a domain, and what devices write.
		{domain, "", "", "root", "root@contoso.com root@contoso.com"},
		{domain, "", "", "device@localhost", "device@contoso.com device@contoso.com"},
		{domain, "", "", "device@DEVICE", "device@contoso.com device@contoso.com"},
		{domain, "", "", "device@[192.0.2.17]", "device@contoso.com device@contoso.com"},
		{domain, "", "", "device@192.168.1.17", "device@contoso.com device@contoso.com"},
		{spare, "", "", "device@my_printer.local", "noreply@contoso.com noreply@contoso.com"},
		{"senders: [{from: '*@office.local', mailbox: a@contoso.com}]", "", "", "device@office.local", "a@contoso.com a@contoso.com"},
		{domain, ", senders: ['*@contoso.com']", "", "root", "root@contoso.com root@contoso.com"},
		{domain, ", senders: [a@contoso.com, b@contoso.com]", "", "root", "sender_not_allowed"},
		{domain, ", senders: ['*@localhost']", "", "ceo@localhost", "sender_not_allowed"}, // else it were ceo@contoso.com
		{spare, "", "", "scanner", "noreply@contoso.com noreply@contoso.com"},
		{spare, ", mailbox: box@contoso.com", "", "scanner", "box@contoso.com box@contoso.com"},
		{domain, "", "box@contoso.com", "scanner", "box@contoso.com box@contoso.com"},
		{nothing, "", "", "root", "no_mailbox"},
		{nothing, "", "", "root@localhost", "no_mailbox"},
	} {
		var account address.Address
		if c.account != "" {
			account = address.MustParse(c.account)
		}
		f := file(t, c.top, c.client)
		d, refusal := sender.New(f, "", account).AtMail(&f.Clients[0], c.mail)
		got := ""
		switch {
		case (d == nil) == (refusal == nil):
			t.Fatalf("%+v: %v and %v", c, d, refusal)
		case d != nil:
			got = d.Mailbox.Addr() + " " + d.ReversePath.Addr()
		default:
			got = string(refusal.Reason)
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestTheFileHasTheLastWordOnTheDomain(t *testing.T) {
	for top, want := range map[string]string{nothing: "root@default.example", domain: "root@contoso.com"} {
		f := file(t, top, "")
		d, refusal := sender.New(f, "default.example", address.Address{}).AtMail(&f.Clients[0], "root")
		if refusal != nil || d.Mailbox.Addr() != want {
			t.Errorf("%v, %v, want %s", d, refusal, want)
		}
	}
	f := file(t, nothing, "")
	if d, refusal := sender.New(f, "localhost", address.Address{}).AtMail(&f.Clients[0], "root"); refusal == nil || refusal.Reason != sender.NoMailbox {
		t.Errorf("root at localhost is %v", d)
	}
}

func TestTheHeaderFollowsTheDecision(t *testing.T) {
	const (
		forced  = ", mailbox: box@contoso.com, force: true"
		limited = ", senders: [a@contoso.com, '*@dev.example']"
	)
	for _, c := range []struct {
		top, client, mail, from string
		want                    string // From, Reply-To, compared; or the reason
	}{
		// As it came.
		{nothing, "", "a@contoso.com", "Ann <a@contoso.com>", "- - a@contoso.com"},
		{nothing, "", "a@contoso.com", "b@contoso.com", "- - b@contoso.com"},
		{nothing, ", mailbox: box@contoso.com", "a@contoso.com", "b@contoso.com", "- - a@contoso.com"},
		{nothing, "", "a@contoso.com", "a@contoso.com, b@contoso.com", "- - a@contoso.com"},
		{nothing, "", "a@contoso.com", "<<>>", "- - a@contoso.com"},
		// Missing, or of a name without a domain.
		{nothing, "", "a@contoso.com", "", "a@contoso.com - a@contoso.com"},
		{nothing, "", "a@contoso.com", "root (Cron Daemon)", "Cron Daemon <a@contoso.com> - a@contoso.com"},
		{nothing, "", "a@contoso.com", "root@localhost", "root <a@contoso.com> - a@contoso.com"},
		{nothing, "", "a@contoso.com", "Backup Server", "Backup Server <a@contoso.com> - a@contoso.com"},
		{nothing, "", "a@contoso.com", "<>", "a@contoso.com - a@contoso.com"},
		{nothing, limited, "a@contoso.com", "Scanner < >", "Scanner <a@contoso.com> - a@contoso.com"},
		{spare, "", "scanner", "", "scanner <noreply@contoso.com> - noreply@contoso.com"},
		{spare, ", senders: [a@contoso.com]", "scanner", "", "scanner <a@contoso.com> - a@contoso.com"},
		{spare, "", "<>", "Device <device@DEVICE>", "Device <noreply@contoso.com> - noreply@contoso.com"},
		{spare, "", "<>", "A <a@contoso.com>", "A <noreply@contoso.com> A <a@contoso.com> noreply@contoso.com"}, // which noreply may hardly use
		{spare, "", "root", "MAILER-DAEMON@mx.contoso.com (Mail Delivery System)", "Mail Delivery System <noreply@contoso.com> Mail Delivery System <MAILER-DAEMON@mx.contoso.com> noreply@contoso.com"},
		{spare, "", "<>", "noreply@contoso.com", "noreply@contoso.com - noreply@contoso.com"},
		{spare, "", "a@contoso.com", "b@contoso.com", "- - b@contoso.com"},
		{nothing, "", "a@contoso.com", "root, b@contoso.com", "- - a@contoso.com"}, // not readable: who knows who it is,
		// The display name.
		{nothing, ", display_name: Scanner", "a@contoso.com", "a@contoso.com", "Scanner <a@contoso.com> - a@contoso.com"},
		{nothing, ", display_name: Scanner", "a@contoso.com", "Scanner <a@contoso.com>", "- - a@contoso.com"},
		{nothing, ", display_name: Scanner", "a@contoso.com", "X <b@contoso.com>", "Scanner <b@contoso.com> - b@contoso.com"},
		{nothing, ", display_name: Scanner", "a@contoso.com", "", "Scanner <a@contoso.com> - a@contoso.com"},
		{nothing, ", display_name: 'Müller, \"J\"'", "a@contoso.com", "", `=?utf-8?b?TcO8bGxlciwgIkoi?= <a@contoso.com> - a@contoso.com`},
		// Forced.
		{nothing, forced, "a@old.example", "Ann <a@old.example>", "Ann <box@contoso.com> Ann <a@old.example> box@contoso.com"},
		{nothing, forced, "a@old.example", "", "box@contoso.com a@old.example box@contoso.com"},
		{nothing, forced, "a@old.example", "Box@CONTOSO.com", "box@contoso.com - box@contoso.com"},
		{nothing, forced, "a@old.example", "b@x.example, c@x.example", "box@contoso.com b@x.example,c@x.example box@contoso.com"},
		{nothing, forced, "a@old.example", "<<>>", "box@contoso.com - box@contoso.com"},
		{nothing, forced, "root", "root", "root <box@contoso.com> - box@contoso.com"},
		{nothing, forced + ", senders: [a@old.example]", "a@old.example", "b@x.example", "box@contoso.com b@x.example box@contoso.com"},
		// Limited.
		{nothing, limited, "a@contoso.com", "b@DEV.example", "- - b@DEV.example"},
		{nothing, limited, "a@contoso.com", "b@contoso.com", "from_not_allowed"},
		{nothing, limited, "a@contoso.com", "a@contoso.com, ceo@contoso.com", "from_not_allowed"},
		{nothing, limited, "a@contoso.com", "a@contoso.com <ceo@contoso.com>", "from_not_allowed"},
		{nothing, limited, "a@contoso.com", "root, a@contoso.com", "from_unreadable"},
		{nothing, limited, "a@contoso.com", "ceo@contoso.com <>", "from_unreadable"},
		{nothing, limited, "a@contoso.com", "<<>>", "from_unreadable"},
		{nothing, limited, "a@contoso.com", "", "a@contoso.com - a@contoso.com"},
		{nothing, limited + ", mailbox: box@contoso.com", "a@contoso.com", "box@contoso.com", "- - a@contoso.com"},
	} {
		f := file(t, c.top, c.client)
		d, refusal := sender.New(f, "", address.Address{}).AtMail(&f.Clients[0], c.mail)
		if refusal != nil {
			t.Errorf("%+v: %v", c, refusal)
			continue
		}
		h, refusal := d.AtContent(sender.ReadFrom(c.from))
		got := ""
		switch {
		case (h == nil) == (refusal == nil):
			t.Fatalf("%+v: %v and %v", c, h, refusal)
		case h != nil:
			got = headerText(h)
		default:
			got = string(refusal.Reason)
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// A message with several From fields has the authors of each. What one begins and another
// ends is not read as one.
func TestEachFromIsReadByItself(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   string
	}{
		{nil, "[]  false"},
		{[]string{""}, "[]  false"},
		{[]string{"a@contoso.com", "b@contoso.com"}, "[a@contoso.com b@contoso.com]  false"},
		{[]string{"", "b@contoso.com"}, "[b@contoso.com]  false"},
		{[]string{"", "Backup Server"}, "[] Backup Server false"},
		{[]string{"Backup Server", "b@contoso.com"}, "[]  true"},
		{[]string{"a@contoso.com (x", "ceo@contoso.com)"}, "[]  true"},
		{[]string{`"x`, `ceo@contoso.com" <a@contoso.com>`}, "[]  true"},
		{[]string{`"x <ceo@contoso.com>`, `" <a@contoso.com>`}, "[]  true"},
	} {
		from := sender.ReadFrom(c.values...)
		if got := fmt.Sprint(from.Authors, " ", from.Name, " ", from.Bad); got != c.want {
			t.Errorf("%q: %s; want %s", c.values, got, c.want)
		}
	}
}

// headerText is From, Reply-To and what is compared.
func headerText(h *sender.Header) string {
	from, replyTo := "-", "-"
	if !h.From.IsZero() {
		from = h.From.String()
	}
	var texts []string
	for _, a := range h.ReplyTo {
		texts = append(texts, a.String())
	}
	if len(texts) > 0 {
		replyTo = strings.Join(texts, ",")
	}
	return from + " " + replyTo + " " + h.Compared.Addr()
}

func TestRefusalsSayWhatToChange(t *testing.T) {
	seen := map[string]bool{}
	for _, reason := range sender.Reasons() {
		for _, from := range []string{"", "root\r\n"} {
			text := (&sender.Refusal{Reason: reason, Client: "c", Sender: from}).Error()
			if strings.ContainsAny(text, "\r\n") || strings.HasSuffix(text, ".") {
				t.Errorf("%q", text)
			}
			seen[text] = true
		}
	}
	if len(seen) < len(sender.Reasons())+1 {
		t.Errorf("some reasons have the same text: %v", seen)
	}
}

// TestNoOneGetsMoreThanTheFileSays: whatever a client writes, the mailbox and MAIL are
// addresses that Exchange Online could know, and the client appears as no sender but
// those that it may use and the mailboxes that the file names.
func TestNoOneGetsMoreThanTheFileSays(t *testing.T) {
	tops := []string{nothing, domain, spare, rules, null, "default_mailbox: noreply@contoso.com"}
	clients := []string{"", ", senders: [a@contoso.com]", ", senders: [a@contoso.com, '*@dev.example']", ", mailbox: box@contoso.com", ", force: true", ", senders: ['*@localhost', a@nas]", ", senders: [a@old.example], mailbox: box@contoso.com, force: true"}
	senders := []string{"", "<>", "root", "a", "a@nas", "ceo@localhost", "a@contoso.com", "ceo@contoso.com", "x@dev.example", "a@old.example", "x@[192.0.2.1]", "\"a b\"@x", "a@contoso.com <ceo@contoso.com>", "Ann", "a@contoso.com, ceo@contoso.com", "<<>>", "ceo@contoso.com;"}
	ours := "noreply@contoso.com scans@contoso.com nas@contoso.com status@contoso.com box@contoso.com"
	rapid.Check(t, func(rt *rapid.T) {
		f := file(t, rapid.SampledFrom(tops).Draw(rt, "top"), rapid.SampledFrom(clients).Draw(rt, "client"))
		c := &f.Clients[0]
		mail := rapid.OneOf(rapid.SampledFrom(senders), rapid.StringMatching(`[a-c@.<> "\\]{0,12}`)).Draw(rt, "mail")
		from := rapid.OneOf(rapid.SampledFrom(senders), rapid.StringMatching(`[a-c@.<>, "\\]{0,12}`)).Draw(rt, "from")
		d, refusal := sender.New(f, "", address.Address{}).AtMail(c, mail)
		if refusal != nil {
			return
		}
		h, refusal := d.AtContent(sender.ReadFrom(from))
		if refusal != nil {
			return
		}
		shown := sender.ReadFrom(from).Authors
		if !h.From.IsZero() {
			shown = []address.Address{h.From}
		}
		for _, a := range append(shown, d.Mailbox, d.ReversePath) {
			name := fmt.Sprintf("%s as %q and %q shows %s", c.Senders, mail, from, a)
			if !strings.Contains(a.Domain(), ".") || a.CheckGlobal("From") != nil {
				rt.Errorf("%s: no other host knows it", name)
			}
			if !admission.MaySend(c, a) && !strings.Contains(ours, a.Addr()) {
				rt.Errorf("%s: it may not", name)
			}
		}
	})
}
