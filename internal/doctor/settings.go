package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/paste"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

// ErrNoMailbox says that there is no mailbox to sign in as.
var ErrNoMailbox = errors.New("no mailbox")

// Asked is what an examination is asked beside the settings. An empty address is the
// settings'.
type Asked struct {
	Mailbox, From string
	SendTo        string        // gets the test message; "": none is submitted
	Limit         time.Duration // of each check; 0: the usual ones
	// Name is what the caller calls a field, such as --send-to for "send-to". Errors
	// have it.
	Name func(field string) string
}

// FromSettings are the options for an examination by these settings. The error is a
// *badinput.FieldError, or ErrNoMailbox.
func FromSettings(acct *account.Account, asked Asked) (Options, error) {
	cfg := acct.Settings()
	mailbox, from, sendTo, err := addresses(cfg, asked)
	if err != nil {
		return Options{}, err
	}
	path := mailbox
	if user := cfg.PlainUser(); user != "" && asked.Mailbox == "" {
		mailbox = user
	}
	known := account.Facts(cfg, mailbox, from)
	known.Recipient = sendTo
	if cfg.NoMails {
		sendTo = ""
	}
	token, _ := acct.Entra() // the credential's check has the error
	return Options{
		Settings: goodSettings(cfg, mailbox), Session: acct.Server(mailbox), ReversePath: path, From: from, SendTo: sendTo,
		TenantID: cfg.OfficeTenantID, HVE: cfg.Service == choice.ServiceHVE, Facts: known, Limit: asked.Limit, TokenLimit: asked.Limit, MailLimit: asked.Limit,
		Token: token, Credential: func(ctx context.Context) (Credential, error) { return inUse(ctx, acct) },
	}, nil
}

// addresses are the mailbox to sign in as, and From and recipient of the test
// message, found as send finds them.
func addresses(cfg *config.Config, asked Asked) (mailbox, from, sendTo string, err error) {
	author, err := account.Sender(cfg, asked.Name("from"), asked.From)
	if err != nil {
		return "", "", "", err
	}
	box, err := account.Mailbox(cfg, asked.Name("mailbox"), asked.Mailbox)
	if err != nil {
		return "", "", "", err
	}
	if box.IsZero() {
		box = author
	}
	if author.IsZero() {
		author = box
	}
	if box.IsZero() {
		return "", "", "", ErrNoMailbox
	}
	if asked.SendTo != "" {
		to, err := address.Parse(asked.Name("send-to"), asked.SendTo)
		if err != nil {
			return "", "", "", err
		}
		sendTo = to.Addr()
	}
	return box.Addr(), author.Addr(), sendTo, nil
}

// BadSettings is the check of settings that cannot be used.
func BadSettings(cfg *config.Config, p *config.Problems) Check {
	var texts []string
	for _, problem := range p.Errors() {
		texts = append(texts, problem.String())
	}
	f := diagnosis.Finding{
		Code: "settings", Class: diagnosis.ClassConfiguration, Title: "The settings cannot be used",
		Cause: "A setting is missing or malformed; no server was contacted.",
		Fixes: []diagnosis.Fix{{Text: "Fix what is listed; smtpsend config show says where each value comes from.", Commands: []string{"smtpsend config show"}, Who: "you"}},
	}
	if found := paste.Explain(strings.Join(texts, "\n"), account.Facts(cfg, "", "")); len(found) > 0 {
		f = found[0]
	}
	return NewCheck("settings", Failed, fmt.Sprintf("%d of them cannot be used", len(texts)), &f, texts...)
}

// goodSettings says as whom and where to mail is submitted.
func goodSettings(cfg *config.Config, mailbox string) Check {
	seen := fmt.Sprintf("as %s, by %s", mailbox, cfg.Addr())
	if file := cfg.EnvFile(); file != "" {
		seen += ", from " + file
	}
	var notes []string
	if cfg.Service == choice.ServiceHVE {
		notes = append(notes, "High Volume Email: to recipients in accepted domains of the organisation only, which only the server knows; MAIL FROM and From are the account")
	}
	hints := len(notes)
	for _, w := range cfg.Warnings() {
		notes = append(notes, w.String())
	}
	if cfg.NoMails {
		notes = append(notes, config.Prefix+"NO_MAILS=1: send submits nothing, and neither does --send-to")
	}
	status := OK
	if len(notes) > hints {
		status = Warn
	}
	return NewCheck("settings", status, seen, nil, notes...)
}
