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
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/transaction"
)

// row is a check of the dialogue up to AUTH and how what was seen is told.
type row struct {
	name string
	seen func(e *examination) string
}

// rows are the checks of the dialogue in the order of its stages, which TLS
// from the first octet changes.
func (e *examination) rows() []row {
	greeting := row{nameGreeting, func(e *examination) string { return first(e.lines.reply("", 0)) }}
	ehlo := row{nameEHLO, func(e *examination) string { return keywords(e.lines.reply("EHLO", 0)) }}
	secure := row{nameTLSSMTP, func(e *examination) string {
		if state, ok := e.session.TLS(); ok {
			return describeTLS(state)
		}
		return ""
	}}
	again := row{nameEHLOTLS, func(e *examination) string { return keywords(e.lines.reply("EHLO", 1)) }}
	switch e.o.Session.Security {
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
func (e *examination) greet(ctx context.Context) {
	rows := e.rows()
	if e.state[nameTCPSMTP] == Failed {
		need := nameTCPSMTP
		for _, r := range rows {
			e.blocked(r.name, need)
			need = r.name
		}
		return
	}
	o := e.o.Session
	o.Tokens, o.Slots = nil, nil
	o.Timeouts = session.Timeouts{Dial: e.o.Limit, Command: e.o.Limit, Data: e.o.Limit, Block: e.o.Limit, Dot: e.o.MailLimit}
	trace := o.Trace
	o.Trace = func(line string) {
		e.lines.add(line)
		if trace != nil {
			trace(line)
		}
	}
	var err error
	e.session, err = session.Greet(ctx, o, time.Now().Add(time.Duration(len(rows)+1)*e.o.Limit))
	e.report.Dialogue = e.lines.lines
	e.tell(rows, err)
}

// tell turns the steps of the session into checks. The first step is the dial,
// which has a check of its own unless it went by a proxy.
func (e *examination) tell(rows []row, err error) {
	steps := e.session.Steps()
	var cause *session.Error
	errors.As(err, &cause)
	failed := -1
	if cause != nil {
		// AUTH is the stage of a server that does not offer XOAUTH2; the offer
		// was the last row's.
		failed = min(len(steps)-2, len(rows)-1)
	}
	dial := Check{Name: nameTCPSMTP, Status: OK, Limit: e.o.Limit, Took: steps[0].Took}
	switch {
	case failed == -1 && cause != nil:
		e.add(e.broke(dial, cause))
	case e.o.Session.Proxy != nil:
		dial.Seen = fmt.Sprintf("%d: the proxy connects to %s", e.o.Session.Port, e.o.Session.Host)
		e.add(dial)
	}
	for i, r := range rows {
		c := Check{Name: r.name, Status: OK, Limit: e.o.Limit}
		switch {
		case cause != nil && i > failed:
			need := nameTCPSMTP
			if failed >= 0 {
				need = rows[failed].name
			}
			e.blocked(r.name, need)
			continue
		case i+1 < len(steps):
			c.Took = steps[i+1].Took
		}
		if cause != nil && i == failed {
			e.add(e.broke(e.failedRow(c, cause), cause))
			continue
		}
		c.Seen = r.seen(e)
		e.add(e.lookAt(c))
	}
}

// failedRow adds what a certificate says of itself to a failed handshake.
func (e *examination) failedRow(c Check, cause *session.Error) Check {
	if leaf := diagnosis.Presented(cause); leaf != nil {
		c.Seen = fmt.Sprintf("%s (%v)", describe(leaf), cause.Err)
	}
	return c
}

// lookAt warns of what is odd and no failure.
func (e *examination) lookAt(c Check) Check {
	switch c.Name {
	case nameGreeting:
		if !e.session.Exchange() {
			c = e.warned(c, diagnosis.Symptom{Stage: smtp.StageGreeting, Fault: smtp.FaultNotExchange})
		}
	case nameTLSSMTP:
		if state, ok := e.session.TLS(); ok && len(state.PeerCertificates) > 0 {
			if c.Notes = certificateNotes(e.o.Session.Host, state.PeerCertificates[0]); len(c.Notes) > 0 {
				c.Status = Warn
			}
		}
	}
	return c
}

// authenticate signs in as the mailbox with the new token, once: a fresh token
// is believed.
func (e *examination) authenticate(ctx context.Context) {
	rows := e.rows()
	if e.blocked(nameAuth, rows[len(rows)-1].name, nameToken) {
		return
	}
	c := Check{Name: nameAuth, Status: OK, Limit: e.o.Limit}
	started := time.Now()
	err := e.session.Authenticate(ctx, bearer.Token{Access: e.token}, started.Add(e.o.Limit))
	c.Took = time.Since(started)
	e.report.Dialogue = e.lines.lines
	if err == nil {
		c.Seen = fmt.Sprintf("as %s: %s", e.o.Session.Mailbox, first(e.lines.reply("AUTH", 0)))
		e.add(c)
		return
	}
	cause := failure(smtp.StageAuth, err)
	c = e.broke(c, cause)
	c.Seen = fmt.Sprintf("as %s: %s", e.o.Session.Mailbox, said(cause))
	e.add(c)
	if isRefusal(cause) && e.claims != nil && len(e.claims.Roles) == 0 {
		e.askGraph(ctx)
	}
}

// envelope names the mailbox and a recipient and takes them back. Exchange says
// yes to nearly all of it, so that its yes proves little.
func (e *examination) envelope(ctx context.Context) {
	to := e.o.SendTo
	if to == "" {
		to = e.o.ReversePath
	}
	for _, step := range []struct {
		name, need, line string
		stage            smtp.Stage
	}{
		{nameMail, nameAuth, "MAIL FROM:<" + e.o.ReversePath + ">", smtp.StageMail},
		{nameRcpt, nameMail, "RCPT TO:<" + to + ">", smtp.StageRcpt},
	} {
		if e.blocked(step.name, step.need) {
			continue
		}
		c := Check{Name: step.name, Status: OK, Limit: e.o.Limit}
		started := time.Now()
		r, err := e.session.Command(ctx, step.stage, step.line, started.Add(e.o.Limit))
		c.Took, c.Seen = time.Since(started), r.String()
		if err != nil {
			c = e.broke(c, failure(step.stage, err))
		}
		e.add(c)
	}
	if e.state[nameAuth] == OK {
		_, e.unreset = e.session.Command(ctx, smtp.StageMail, "RSET", time.Now().Add(e.o.Limit))
	}
	e.report.Dialogue = e.lines.lines
}

// testMessage submits a message when it was asked for.
func (e *examination) testMessage(ctx context.Context) {
	if e.blocked(nameMessage, nameRcpt) {
		return
	}
	if e.o.SendTo == "" {
		e.add(Check{Name: nameMessage, Status: Skipped, Seen: "not tried", Notes: []string{
			"Exchange decides about Send As, size and quota only when it has a message: --send-to ADDRESS submits one"}})
		return
	}
	c := Check{Name: nameMessage, Status: OK, Limit: e.o.MailLimit}
	if e.unreset != nil { // the connection is of no further use
		cause := failure(smtp.StageMail, e.unreset)
		c = e.broke(c, cause)
		c.Seen = "not tried, because RSET came before it: " + said(cause)
		e.add(c)
		return
	}
	started := time.Now()
	m, err := e.compose(ctx)
	if err != nil {
		e.add(e.broke(c, &session.Error{Stage: smtp.StageConfig, Err: err}))
		return
	}
	defer m.Close()
	e.o.Facts.MessageID = m.MessageID
	result := e.submit(ctx, m, started.Add(e.o.MailLimit))
	c.Took, c.Seen = time.Since(started), fmt.Sprintf("from %s to %s: %s", e.o.From, e.o.SendTo, result.Reply)
	e.report.Dialogue = e.lines.lines
	if result.Err != nil {
		c.Seen = fmt.Sprintf("from %s to %s: %s", e.o.From, e.o.SendTo, said(result.Err))
		c = e.broke(c, result.Err)
		if result.Recipients[0].Outcome == smtp.InDoubt {
			e.report.InDoubt = true
			c.Notes = []string{"the final dot was sent and no reply came: the test message may nevertheless arrive"}
		}
	}
	e.add(c)
}

// submit submits m on the session. Where the server does not take BDAT that is, as
// with send, by DATA on another one.
func (e *examination) submit(ctx context.Context, m *mailobject.Mail, deadline time.Time) transaction.Result {
	result := transaction.NewPipeline(e.session).Transact(ctx, deadline, m, nil)
	if result.Err == nil || !errors.Is(result.Err, transaction.ErrChunking) {
		return result
	}
	o := e.session.Options()
	o.Tokens = knownToken{Access: e.token}
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
func (e *examination) compose(ctx context.Context) (*mailobject.Mail, error) {
	from, err := address.Parse("From", e.o.From)
	if err != nil {
		return nil, err
	}
	mailbox, err := address.Parse("--mailbox", e.o.ReversePath)
	if err != nil {
		return nil, err
	}
	to, err := address.Parse("--send-to", e.o.SendTo)
	if err != nil {
		return nil, err
	}
	m, err := message.Compose(ctx, message.Draft{
		From: from, Mailbox: mailbox, To: []address.Address{to}, Subject: "Test by smtpsend doctor",
		Text: "This is a test message of smtpsend doctor, from " + e.o.From + ", submitted as the mailbox " +
			e.o.Session.Mailbox + ". It needs no answer.\n",
	})
	if err != nil {
		return nil, err
	}
	return m.Mail, nil
}
