package relay_test

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

const envelope = hello + `
	C: MAIL FROM:<a@contoso.example>
	S: 250
	C: RCPT TO:<x@contoso.example>
	S: 250
	C: DATA
	S: 354
`

// message is a dialogue with a content, and the reply to it.
func message(content, reply string) string {
	var b strings.Builder
	b.WriteString(envelope)
	for line := range strings.SplitSeq(content, "\n") {
		b.WriteString("C: " + line + "\n")
	}
	return b.String() + "C: .\nS: " + reply
}

// header is the header section of a content, and rest what follows the blank line.
func header(content string) (header, rest string) {
	header, rest, _ = strings.Cut(content, "\r\n\r\n")
	return strings.ReplaceAll(header, "\r\n ", " "), rest
}

func TestContentGetsWhatIsMissingAndNothingElse(t *testing.T) {
	const complete = "From: A <a@contoso.example>\nDate: Mon, 30 Nov 2026 12:00:00 +0000\nMessage-ID: <1@device>\nX-Odd:   two  blanks\n\n..dot\nend "
	tests := map[string]struct {
		settings, content string
		has               []string // lines of the header section
		not               []string // beginnings of lines
		body              string
	}{
		"complete": {local(anyone), complete, []string{"From: A <a@contoso.example>", "Message-ID: <1@device>", "X-Odd:   two  blanks"}, []string{"Reply-To"}, ".dot\r\nend \r\n"},
		"nothing":  {local(anyone), "\nno header", []string{"From: a@contoso.example"}, nil, "no header\r\n"},
		"no From":  {local(anyone), "Subject: x\n\nb", []string{"From: a@contoso.example", "Subject: x"}, nil, "b\r\n"},
		"Bcc":      {local(anyone), complete[:len("From: A <a@contoso.example>\n")] + "Bcc: secret@contoso.example\n\nb", nil, []string{"Bcc"}, "b\r\n"},
		"forced": {local(`{name: here, networks: [127.0.0.1], mailbox: noreply@contoso.example, force: true, display_name: Scanner}`), complete,
			[]string{"From: Scanner <noreply@contoso.example>", "Reply-To: A <a@contoso.example>"}, []string{"From: A"}, ".dot\r\nend \r\n"},
		"forced, with a Reply-To": {local(`{name: here, networks: [127.0.0.1], mailbox: noreply@contoso.example, force: true}`), "Reply-To: r@contoso.example\n" + complete,
			[]string{"Reply-To: r@contoso.example"}, []string{"Reply-To: A"}, ".dot\r\nend \r\n"},
		"a device's own name":   {"default_mailbox: noreply@contoso.example\n" + local(anyone), "From: scanner <root@localhost>\n\nb", []string{"From: scanner <a@contoso.example>"}, []string{"From: scanner <root"}, "b\r\n"},
		"octets above 127":      {local(anyone), "Subject: x\n\nä", []string{"Content-Transfer-Encoding: quoted-printable"}, nil, "=C3=A4\r\n"},
		"octets above 127 kept": {local(`{name: here, networks: [127.0.0.1], eight_bit: keep}`), "Subject: x\n\nä", nil, []string{"Content-Transfer-Encoding"}, "ä\r\n"},
		"a long line":           {local(`{name: here, networks: [127.0.0.1], eight_bit: keep}`), "Subject: x\n\n" + strings.Repeat("y", 1000), []string{"Content-Transfer-Encoding: quoted-printable"}, nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, tt.settings, with{})
			l.dial(localhost).dialogue(message(tt.content, "250 2.0.0"))
			head, body := header(l.content())
			lines := strings.Split(head, "\r\n")
			for _, field := range append(tt.has, "") {
				if field != "" && !slices.Contains(lines, field) {
					t.Errorf("%q is missing in\n%s", field, head)
				}
			}
			for _, field := range append(tt.not, "X-Never") {
				if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, field) }) {
					t.Errorf("%q is in\n%s", field, head)
				}
			}
			for _, once := range []string{"Received: ", "Date: ", "Message-ID: ", "From: "} {
				if n := strings.Count("\r\n"+head, "\r\n"+once); n != 1 {
					t.Errorf("%d fields %s in\n%s", n, once, head)
				}
			}
			if tt.body != "" && body != tt.body {
				t.Errorf("body %q, want %q", body, tt.body)
			}
		})
	}
}

func TestReceivedSaysWhoAndHow(t *testing.T) {
	file := usersFile(t)
	const erpUser = "\nusers_file: users\nclients: [{name: erp, user: erp}, {name: here, networks: [127.0.0.1]}]"
	const rest = "C: MAIL FROM:<a@contoso.example>\nS: 250\nC: RCPT TO:<x@contoso.example>\nS: 250\nC: DATA\nS: 354\nC: Subject: s\nC:\nC: .\nS: 250"
	tests := map[string]struct{ settings, script, want string }{
		"HELO":  {local(anyone), "S: 220\nC: HELO printer\nS: 250\n" + rest, `from printer \(\[127.0.0.1\]\) by relay.contoso.example \(smtpsend ...\) with SMTP \(client this-host\) for <x@contoso.example>; `},
		"EHLO":  {"hostname: mx.contoso.example\n" + local(anyone), "S: 220 mx.contoso.example\nC: EHLO a_b (c) \"d\"; by x\nS: 250\n" + rest, `from a_b\?\?c\?\?\?d\?\?\?by\?x \(\[127.0.0.1\]\) by mx.contoso.example \(smtpsend ...\) with ESMTP \(`},
		"UTF-8": {local(anyone), "S: 220\nC: EHLO x\nS: 250\n" + strings.Replace(rest, "contoso.example>", "contoso.example> SMTPUTF8", 1), `with UTF8SMTP \(client`},
		"signed in with TLS": {"listeners: [{address: 'smtps://127.0.0.1:0', policy: ip-or-auth}]" + erpUser, "T:\nS: 220\nC: EHLO x\nS: 250\nC: AUTH PLAIN " + plainErp + "\nS: 235\n" + rest,
			`with ESMTPSA \(client erp\) for <x@contoso.example> tls TLS_[A-Z0-9_]+ \(TLS 1.3\); `},
		"by address with TLS": {"listeners: [{address: 'starttls://127.0.0.1:0', policy: ip-or-auth}]" + erpUser, hello + "C: STARTTLS\nS: 220\nT:\nC: EHLO x\nS: 250\n" + rest,
			`with ESMTPS \(client here\) for`},
		"two recipients": {local(anyone), hello + strings.Replace(rest, "C: DATA", "C: RCPT TO:<y@contoso.example>\nS: 250\nC: DATA", 1), `\(client this-host\); [A-Z]`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, tt.settings, with{users: file})
			l.dial(l.first()).dialogue(tt.script)
			head, _ := header(l.content())
			if !regexp.MustCompile(`^Received: .*` + tt.want).MatchString(strings.ReplaceAll(head, "\r\n", "\n")) {
				t.Errorf("want %s in\n%s", tt.want, head)
			}
		})
	}
}

func TestLoopsEnd(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	mark := "Received: from x by y\n (smtpsend " + string(l.box.Tag()) + ")\n with SMTP; now\n"
	const loop = "554 5.4.6 the message goes round in a loop"
	for content, reply := range map[string]string{
		mark + "\n":        "250",
		mark + mark + "\n": loop,
		strings.Repeat("Received: by z; now\n", 100) + "\n": "250",
		strings.Repeat("Received: by z; now\n", 101) + "\n": loop + ": it has more than 100 Received fields",
	} {
		l.dial(localhost).dialogue(message(content, reply))
	}
}

func TestWhatIsNotTakenIsNotKept(t *testing.T) {
	small := strings.Replace(local(anyone), `"}]`, `", limits: {size: 65536}}]`, 1)
	long := strings.Repeat(strings.Repeat("x", 70)+"\n", 1000)
	restricted := local(`{name: here, networks: [127.0.0.1], senders: ["a@contoso.example"]}`)
	tests := map[string]struct {
		settings, script, code string
		outbox                 outbox.Options
	}{
		"the disk is full":  {local(anyone), message("Subject: x\n", "452 4.3.1 the relay's disk is full: try again later"), "relay-outbox-full", outbox.Options{Reserve: 1 << 60}},
		"too large":         {small, message("Subject: x\n\n"+long, "552 5.3.4 the message is larger than 65536 octets"), "relay-too-large", outbox.Options{}},
		"From not allowed":  {restricted, message("From: boss@contoso.example\n", "550 5.7.1 client here may not use \"boss@contoso.example\" in From"), "relay-from-not-allowed", outbox.Options{}},
		"a second From":     {restricted, message("From: a@contoso.example\nFrom: boss@contoso.example\n", "550 5.7.1 client here may not use"), "relay-from-not-allowed", outbox.Options{}},
		"hidden by comment": {restricted, message("From: a@contoso.example (x\nSubject: t\nFrom: boss@contoso.example)\n", "550 5.7.1 From cannot be read"), "relay-from-unreadable", outbox.Options{}},
		"hidden by quotes":  {restricted, message("From: \"x\nFrom: boss@contoso.example\" <a@contoso.example>\n", "550 5.7.1 From cannot be read"), "relay-from-unreadable", outbox.Options{}},
		"From unreadable":   {restricted, message("From: a@@@\n", "550 5.7.1 From cannot be read"), "relay-from-unreadable", outbox.Options{}},
		"header too large":  {local(anyone), message("X: "+strings.Repeat("y", 900)+"\n"+strings.Repeat(" "+strings.Repeat("y", 900)+"\n", 1200), "554 5.6.0 the message cannot be sent: "), "relay-message-unreadable", outbox.Options{}},
		"more than the box": {local(anyone), message("Subject: x\n\n"+long, "554 5.6.0 "), "relay-message-unreadable", outbox.Options{MaxSize: 1000}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, tt.settings, with{outbox: tt.outbox})
			c := l.dial(localhost).dialogue(tt.script + "\nC: NOOP\nS: 250")
			if got := l.codes(); !slices.Equal(got, []string{tt.code}) {
				t.Errorf("refused with %q, want %q", got, tt.code)
			}
			if v := l.leave(c); v.Messages != 0 || len(l.queued()) != 0 {
				t.Errorf("%d messages are in the outbox, %d in the visit", len(l.queued()), v.Messages)
			}
		})
	}
}

// A refusal of Exchange Online holds the mail of the sender that it refused. The mailbox is
// held when it may not send as itself, and no message of one client must look like that.
func TestTheSenderThatMayBeRefusedIsKept(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	for _, header := range []string{
		"From: A@contoso.example\n", "From: a@contoso.example, Boss <boss@contoso.example>\nSender: a@contoso.example\n", "From: boss@contoso.example\nFrom: a@contoso.example\n",
		"From: <boss@contoso.example> x <y>\n",
	} {
		l.dial(localhost).dialogue(message(header, "250"))
	}
	var got []string
	err := store.Each(l.box.DB().View(t.Context()), func(rows *sql.Rows) error {
		var sender string
		err := rows.Scan(&sender)
		got = append(got, sender)
		return err
	}, "SELECT sender FROM mail ORDER BY id")
	if want := []string{"a@contoso.example", "boss@contoso.example", "boss@contoso.example", "<boss@contoso.example> x <y>"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q: %v", got, err)
	}
}

// Exchange Online is asked for the notifications that the client asked for.
func TestWishesForNotificationsAreKept(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	for _, second := range []string{"failure", "NEVER"} {
		l.dial(localhost).dialogue(hello + "C: MAIL FROM:<a@contoso.example> RET=hdrs ENVID=a+2Bb\nS: 250\n" +
			"C: RCPT TO:<b@contoso.example> NOTIFY=FAILURE\nS: 250\nC: RCPT TO:<c@contoso.example> NOTIFY=" + second + "\nS: 250\nC: DATA\nS: 354\nC: .\nS: 250")
	}
	var got []string
	err := store.Each(l.box.DB().View(t.Context()), func(rows *sql.Rows) error {
		var notify, ret, id string
		err := rows.Scan(&notify, &ret, &id)
		got = append(got, notify+" "+ret+" "+id)
		return err
	}, "SELECT dsn_notify, dsn_return, envelope_id FROM mail ORDER BY id")
	if want := []string{"FAILURE HDRS a+b", " HDRS a+b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q: %v", got, err)
	}
}

func TestOutboxIsNeverTheSendersFault(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
		text string
		ends bool
	}{
		{store.ErrFull, 452, "4.3.1 the relay's disk is full: try again later", false},
		{store.ErrBusy, 451, "4.3.0 the relay cannot keep the message now: try again later", false},
		{store.ErrBroken, 451, "4.3.0 the relay cannot keep the message now: try again later", true},
		{errors.New("what no one knows"), 451, "4.3.0 the relay cannot keep the message now: try again later", false},
		{&spool.InputError{Field: "content", Reason: "is empty"}, 554, "5.6.0 the message cannot be sent: taking: content: is empty", false},
	} {
		l := newLab(t, local(anyone), with{})
		code, text := l.relay.Untaken(fmt.Errorf("taking: %w", tt.err))
		if code != tt.code || text != tt.text {
			t.Errorf("%v: %d %s, want %d %s", tt.err, code, text, tt.code, tt.text)
		}
		if !tt.ends {
			l.end()
		}
		if err := <-l.result; errors.Is(err, store.ErrBroken) != tt.ends {
			t.Errorf("%v: Run ended with %v", tt.err, err)
		}
	}
}

func TestAConnectionCutInsideContentLeavesNothing(t *testing.T) {
	for name, content := range map[string]string{"small": "Subject: x\r\n\r\nhalf", "large": "Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 300_000)} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, local(anyone), with{})
			c := l.dial(localhost).dialogue(envelope)
			c.write(content)
			v := l.leave(c)
			if len(l.queued()) != 0 || v.Messages != 0 || v.Broken == nil {
				t.Errorf("%d messages are in the outbox, visit %+v", len(l.queued()), v)
			}
			if got := l.codes(); !slices.Equal(got, []string{"relay-session-broken"}) || l.events()[0].Hello != "device" {
				t.Errorf("told %+v", l.events())
			}
		})
	}
}

func TestAVisitTellsWhatWasDone(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	c := l.dial(localhost).dialogue(message("From: Ä <boss@contoso.example>\n\nx", "250") + "\nC: mail from: c@contoso.example\nS: 250\nC: RCPT TO:<z@Fabrikam.example>\nS: 250")
	v := l.leave(c)
	switch {
	case v.Client != "this-host", v.Hello != "device", v.Place() != "127.0.0.1", v.Listener != localhost:
		t.Errorf("visit of %+v", v.Session)
	case !slices.Equal(v.Senders, []string{"a@contoso.example", "c@contoso.example"}), !slices.Equal(v.Authors, []string{"boss@contoso.example"}),
		!slices.Equal(v.Domains, []string{"contoso.example", "fabrikam.example"}):
		t.Errorf("visit with %q, %q, %q", v.Senders, v.Authors, v.Domains)
	case v.Messages != 1, v.Recipients != 1, v.Octets != 38, v.Largest != 38:
		t.Errorf("visit with %d messages, %d recipients, %d octets, %d at most", v.Messages, v.Recipients, v.Octets, v.Largest)
	case v.Quirks.String() != "lower-case,no-quit,path-blanks,no-brackets":
		t.Errorf("quirks %s", v.Quirks)
	}
	audit := l.logged()
	for _, part := range []string{"msg=taken", "client=this-host", "mail=a@contoso.example", "mailbox=a@contoso.example", "rcpt=x@contoso.example", "octets=38", "mail_id=" + string(l.box.Tag()) + "-1", "message_id=<"} {
		if !strings.Contains(audit, part) {
			t.Errorf("%q is missing in\n%s", part, audit)
		}
	}
}

// A message has one NOTIFY for all recipients: where they differ, a failure is reported,
// also when the last one wants no report.
func TestNotifyOfSeveralRecipients(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	for _, wishes := range [][]string{{" NOTIFY=NEVER", " NOTIFY=NEVER"}, {"", " NOTIFY=NEVER"}, {" NOTIFY=SUCCESS", " NOTIFY=NEVER", " NOTIFY=NEVER"}, {" NOTIFY=SUCCESS", ""}} {
		text := hello + mailFrom + "S: 250\n"
		for i, wish := range wishes {
			text += fmt.Sprintf("C: RCPT TO:<x%d@contoso.example>%s\nS: 250\n", i, wish)
		}
		l.dial(localhost).dialogue(text + "C: DATA\nS: 354\nC: .\nS: 250")
	}
	var got []string
	rows, err := l.raw().QueryContext(t.Context(), "SELECT dsn_notify FROM mail ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
	if err := rows.Err(); err != nil || !slices.Equal(got, []string{"NEVER", "", "", ""}) {
		t.Errorf("NOTIFY of the messages: %q, %v", got, err)
	}
}
