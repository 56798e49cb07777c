package main

import (
	"context"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/sendmail"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

// mailer is the settings, the server and the outbox of one run of sendmail.
type mailer struct {
	app  *application
	args *sendmail.Arguments
	cfg  *config.Config
}

// adopt puts the options into the global ones of the same meaning.
func (m *mailer) adopt() {
	a, g := m.args, m.app
	g.out.Verbose, g.trace = g.out.Verbose || a.Verbose, g.trace || a.Trace
	if a.Timeout != 0 {
		g.timeout, g.timeoutGiven = a.Timeout, true
	}
	g.silentCommands, g.daily = true, !g.out.Verbose
	for _, w := range a.Warnings {
		g.out.Warningf("%s", w)
	}
}

// Settings loads the configuration.
func (m *mailer) Settings(ctx context.Context) (*config.Config, error) {
	o := m.app.options()
	o.Offline, o.ByRelay, o.Flags, o.Stdin = m.args.DryRun, true, m.args.Settings, nil
	cfg, err := config.Load(ctx, o)
	if m.cfg = cfg; err == nil {
		view.Warnings(m.app.out, cfg.Warnings())
	}
	return cfg, err
}

// Submit submits, and falls back to the outbox where the settings say so. A relay on this
// host gets the message in place of the server, where the settings name one.
func (m *mailer) Submit(ctx context.Context, mail *sendmail.Mail) (view.Receipt, *submission.Receipt, error) {
	if m.cfg.RelaySocket != "" {
		return m.handOver(ctx, mail)
	}
	o, err := m.app.account(m.cfg).Session(mail.Mailbox)
	if err != nil {
		return view.Receipt{}, nil, err
	}
	receipt := submission.Submit(ctx, o, mail.Mail, submission.Policy{Deadline: time.Now().Add(m.app.timeout), Waiting: m.app.waiting})
	known, claims := account.Known(m.cfg, receipt.Mailbox, mail.From, receipt.Token)
	shown := view.NewReceipt(receipt, known, claims)
	m.app.toStderr().fallBack(ctx, m.cfg, mail.Mail, receipt, "sendmail", &shown)
	return shown, receipt, nil
}

// handOver gives a message to the relay on this host, and waits for one that is being
// started again.
func (m *mailer) handOver(ctx context.Context, mail *sendmail.Mail) (view.Receipt, *submission.Receipt, error) {
	o := session.Options{Socket: m.cfg.RelaySocket, Mailbox: mail.Mailbox, EHLOName: "localhost"}
	if m.app.trace {
		o.Trace = func(line string) { m.app.out.Plainf("%s", line) }
	}
	receipt := submission.Submit(ctx, o, mail.Mail, submission.Policy{Deadline: time.Now().Add(m.app.timeout), Waiting: m.app.waiting, Restarts: true})
	return view.NewReceipt(receipt, diagnosis.Facts{Server: m.cfg.RelaySocket, From: mail.From}, nil), receipt, nil
}

// Queue puts a message into the outbox.
func (m *mailer) Queue(ctx context.Context, mail *sendmail.Mail) (queueid.ID, error) {
	qid, _, err := m.app.enqueue(ctx, m.cfg, mail.Mail, spool.Message{Mailbox: mail.Mailbox, Source: "sendmail"})
	return qid, err
}

// Preview says what would have been submitted.
func (m *mailer) Preview(mail *sendmail.Mail) error {
	return notSubmitted(m.app.toStderr(), mail.Mail, m.args.DryRun)
}

// home is $HOME, else what the system knows of the user; "" when neither is known,
// as in a container. For a user that root's process has become it is that user's.
func (m *mailer) home() string {
	if m.app.became.Name != "" {
		return m.app.became.Home
	}
	if dir := m.variable("HOME"); dir != "" {
		return dir
	}
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		return u.HomeDir
	}
	return ""
}

// variable is the value of a variable of the environment, "" when it is not set.
func (m *mailer) variable(name string) string {
	for _, kv := range m.app.environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok && value != "" {
			return value
		}
	}
	return ""
}
