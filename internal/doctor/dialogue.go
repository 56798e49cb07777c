package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/transaction"
)

// dialogue is the one with the server: from the greeting to the test message.
type dialogue struct {
	o      Options
	record *record

	session *session.Session
	token   secret.String // that AUTH was tried with
	unreset error         // of RSET, after which no message can be tried
	lines   transcript
}

// row is a check of the dialogue up to AUTH and how what was seen is told.
type row struct {
	name string
	seen func(d *dialogue) string
}

// rows are the checks of the dialogue in the order of its stages, which TLS
// from the first octet changes.
func (d *dialogue) rows() []row {
	greeting := row{nameGreeting, func(d *dialogue) string { return first(d.lines.reply("", 0)) }}
	ehlo := row{nameEHLO, func(d *dialogue) string { return keywords(d.lines.reply("EHLO", 0)) }}
	secure := row{nameTLSSMTP, func(d *dialogue) string {
		if state, ok := d.session.TLS(); ok {
			return describeTLS(state)
		}
		return ""
	}}
	again := row{nameEHLOTLS, func(d *dialogue) string { return keywords(d.lines.reply("EHLO", 1)) }}
	switch d.o.Session.Security {
	case session.ImplicitTLS:
		return []row{secure, greeting, ehlo}
	case session.Plaintext:
		return []row{greeting, ehlo}
	}
	return []row{greeting, ehlo, secure, again}
}

func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

// keywords are the extensions of an EHLO reply, those first that matter here.
func keywords(lines []string) string {
	if len(lines) < 2 {
		return "no extensions"
	}
	var matter, rest []string
	for _, l := range lines[1:] {
		word, _, _ := strings.Cut(l, " ")
		switch strings.ToUpper(word) {
		case "STARTTLS", "AUTH":
			matter = append(matter, l)
		default:
			rest = append(rest, l)
		}
	}
	return strings.Join(append(matter, rest...), ", ")
}

// greet goes from the connection to the offer of XOAUTH2.
func (d *dialogue) greet(ctx context.Context) {
	rows := d.rows()
	if d.record.failed(nameTCPSMTP) {
		need := nameTCPSMTP
		for _, r := range rows {
			d.record.blocked(r.name, need)
			need = r.name
		}
		return
	}
	o := d.o.Session
	o.Tokens, o.Slots = nil, nil
	o.Timeouts = session.Timeouts{Dial: d.o.Limit, Command: d.o.Limit, Data: d.o.Limit, Block: d.o.Limit, Dot: d.o.MailLimit}
	trace := o.Trace
	o.Trace = func(line string) {
		d.lines.add(line)
		if trace != nil {
			trace(line)
		}
	}
	var err error
	d.session, err = session.Greet(ctx, o, time.Now().Add(time.Duration(len(rows)+1)*d.o.Limit))
	d.tell(rows, err)
}

// tell turns the steps of the session into checks. The first step is the dial,
// which has a check of its own unless it went by a proxy.
func (d *dialogue) tell(rows []row, err error) {
	steps := d.session.Steps()
	var cause *session.Error
	errors.As(err, &cause)
	failed := -1
	if cause != nil {
		// AUTH is the stage of a server that does not offer XOAUTH2; the offer
		// was the last row's.
		failed = min(len(steps)-2, len(rows)-1)
	}
	dial := Check{Name: nameTCPSMTP, Status: OK, Limit: d.o.Limit, Took: steps[0].Took}
	switch {
	case failed == -1 && cause != nil:
		d.record.add(d.record.broke(dial, cause))
	case d.o.Session.Proxy != nil:
		dial.Seen = fmt.Sprintf("%d: the proxy connects to %s", d.o.Session.Port, d.o.Session.Host)
		d.record.add(dial)
	}
	for i, r := range rows {
		c := Check{Name: r.name, Status: OK, Limit: d.o.Limit}
		switch {
		case cause != nil && i > failed:
			need := nameTCPSMTP
			if failed >= 0 {
				need = rows[failed].name
			}
			d.record.blocked(r.name, need)
			continue
		case i+1 < len(steps):
			c.Took = steps[i+1].Took
		}
		if cause != nil && i == failed {
			d.record.add(d.record.broke(d.failedRow(c, cause), cause))
			continue
		}
		c.Seen = r.seen(d)
		d.record.add(d.lookAt(c))
	}
}

// failedRow adds what a certificate says of itself to a failed handshake.
func (d *dialogue) failedRow(c Check, cause *session.Error) Check {
	if leaf := diagnosis.Presented(cause); leaf != nil {
		c.Seen = fmt.Sprintf("%s (%v)", describe(leaf), cause.Err)
	}
	return c
}

// lookAt warns of what is odd and no failure.
func (d *dialogue) lookAt(c Check) Check {
	switch c.Name {
	case nameGreeting:
		if !d.session.Exchange() {
			c = d.record.warned(c, diagnosis.Symptom{Stage: smtp.StageGreeting, Fault: smtp.FaultNotExchange})
		}
	case nameTLSSMTP:
		if state, ok := d.session.TLS(); ok && len(state.PeerCertificates) > 0 {
			if c.Notes = certificateNotes(d.o.Session.Host, state.PeerCertificates[0]); len(c.Notes) > 0 {
				c.Status = Warn
			}
		}
	}
	return c
}

// authenticate signs in as the mailbox with the new token, once: a fresh token
// is believed. It returns why it was refused, nil when it was not.
func (d *dialogue) authenticate(ctx context.Context, token secret.String) *session.Error {
	rows := d.rows()
	if d.record.blocked(nameAuth, rows[len(rows)-1].name, nameToken) {
		return nil
	}
	d.token = token
	c := Check{Name: nameAuth, Status: OK, Limit: d.o.Limit}
	started := time.Now()
	err := d.session.Authenticate(ctx, bearer.Token{Access: d.token}, started.Add(d.o.Limit))
	c.Took = time.Since(started)
	if err == nil {
		c.Seen = fmt.Sprintf("as %s: %s", d.o.Session.Mailbox, first(d.lines.reply("AUTH", 0)))
		d.record.add(c)
		return nil
	}
	cause := failure(smtp.StageAuth, err)
	c = d.record.broke(c, cause)
	c.Seen = fmt.Sprintf("as %s: %s", d.o.Session.Mailbox, said(cause))
	d.record.add(c)
	return cause
}

// envelope names the mailbox and a recipient and takes them back. Exchange says
// yes to nearly all of it, so that its yes proves little.
func (d *dialogue) envelope(ctx context.Context) {
	to := d.o.SendTo
	if to == "" {
		to = d.o.ReversePath
	}
	for _, step := range []struct {
		name, need, line string
		stage            smtp.Stage
	}{
		{nameMail, nameAuth, "MAIL FROM:<" + d.o.ReversePath + ">", smtp.StageMail},
		{nameRcpt, nameMail, "RCPT TO:<" + to + ">", smtp.StageRcpt},
	} {
		if d.record.blocked(step.name, step.need) {
			continue
		}
		c := Check{Name: step.name, Status: OK, Limit: d.o.Limit}
		started := time.Now()
		r, err := d.session.Command(ctx, step.stage, step.line, started.Add(d.o.Limit))
		c.Took, c.Seen = time.Since(started), r.String()
		if err != nil {
			c = d.record.broke(c, failure(step.stage, err))
		}
		d.record.add(c)
	}
	if d.record.state[nameAuth] == OK {
		_, d.unreset = d.session.Command(ctx, smtp.StageMail, "RSET", time.Now().Add(d.o.Limit))
	}
}

// testMessage submits a message when it was asked for.
func (d *dialogue) testMessage(ctx context.Context) {
	if d.record.blocked(nameMessage, nameRcpt) {
		return
	}
	if d.o.SendTo == "" {
		d.record.add(Check{Name: nameMessage, Status: Skipped, Seen: "not tried", Notes: []string{
			"Exchange decides about Send As, size and quota only when it has a message: --send-to ADDRESS submits one"}})
		return
	}
	c := Check{Name: nameMessage, Status: OK, Limit: d.o.MailLimit}
	if d.unreset != nil { // the connection is of no further use
		cause := failure(smtp.StageMail, d.unreset)
		c = d.record.broke(c, cause)
		c.Seen = "not tried, because RSET came before it: " + said(cause)
		d.record.add(c)
		return
	}
	started := time.Now()
	m, err := d.compose(ctx)
	if err != nil {
		d.record.add(d.record.broke(c, &session.Error{Stage: smtp.StageConfig, Err: err}))
		return
	}
	defer m.Close()
	d.record.facts.MessageID = m.MessageID
	result := d.submit(ctx, m, started.Add(d.o.MailLimit))
	c.Took, c.Seen = time.Since(started), fmt.Sprintf("from %s to %s: %s", d.o.From, d.o.SendTo, result.Reply)
	if result.Err != nil {
		c.Seen = fmt.Sprintf("from %s to %s: %s", d.o.From, d.o.SendTo, said(result.Err))
		c = d.record.broke(c, result.Err)
		if result.Recipients[0].Outcome == smtp.InDoubt {
			d.record.report.InDoubt = true
			c.Notes = []string{"the final dot was sent and no reply came: the test message may still arrive"}
		}
	}
	d.record.add(c)
}

// submit submits m on the session. Where the server does not take BDAT that is, as
// with send, by DATA on another one.
func (d *dialogue) submit(ctx context.Context, m *mailobject.Mail, deadline time.Time) transaction.Result {
	result := transaction.NewPipeline(d.session).Transact(ctx, deadline, m, nil)
	if result.Err == nil || !errors.Is(result.Err, transaction.ErrChunking) {
		return result
	}
	o := d.session.Options()
	o.Tokens = knownToken{Access: d.token}
	again, err := session.Connect(ctx, o, deadline)
	if err != nil {
		again.Close()
		result.Err = failure(smtp.StageDial, err)
		return result
	}
	defer again.Close()
	return transaction.NewPipeline(again).Transact(ctx, deadline, m, nil)
}

// knownToken is the token that was just fetched, as a source.
type knownToken bearer.Token

func (t knownToken) Token(context.Context) (bearer.Token, error) { return bearer.Token(t), nil }

func (knownToken) Invalidate(bearer.Token) {}

// compose makes the test message, which says what it is.
func (d *dialogue) compose(ctx context.Context) (*mailobject.Mail, error) {
	from, err := address.Parse("From", d.o.From)
	if err != nil {
		return nil, err
	}
	mailbox, err := address.Parse("--mailbox", d.o.ReversePath)
	if err != nil {
		return nil, err
	}
	to, err := address.Parse("--send-to", d.o.SendTo)
	if err != nil {
		return nil, err
	}
	m, err := message.Compose(ctx, message.Draft{
		From: from, Mailbox: mailbox, To: []address.Address{to}, Subject: "Test by smtpsend doctor",
		Text: "This is a test message of smtpsend doctor, from " + d.o.From + ", submitted as the mailbox " +
			d.o.Session.Mailbox + ". It needs no answer.\n",
	})
	if err != nil {
		return nil, err
	}
	return m.Mail, nil
}
