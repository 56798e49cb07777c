package courier

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/session"
)

// FromSettings are the options for a courier that submits by an account: sessions,
// what explains failures, and how the operator is told. The error is a
// *badinput.FieldError that names the setting.
func FromSettings(acct *account.Account) (o Options, err error) {
	cfg := acct.Settings()
	// One for all mailboxes, so that their sessions share a token also when it
	// cannot be stored.
	shared := sync.OnceValues(func() (session.Options, error) { return acct.Session("") })
	o = Options{
		Connection: func(mailbox string) (session.Options, error) {
			connection, err := shared()
			if connection.Mailbox == "" {
				connection.Mailbox = mailbox
			}
			return connection, err
		},
		Claims: func(token bearer.Token) *diagnosis.Claims { return account.Claims(cfg, token) },
		Ends:   acct.Proof().Watch().All,
		Facts:  func(mailbox string) diagnosis.Facts { return account.Facts(cfg, mailbox, "") },
	}
	if !cfg.NotifyCommand.IsZero() {
		o.Notify = func(ctx context.Context, i Incident) error {
			text, err := json.MarshalIndent(i, "", "  ")
			if err != nil {
				return err
			}
			return cfg.Notify(ctx, append(text, '\n'))
		}
	}
	if cfg.Operator == "" || cfg.MailSender == "" {
		return o, nil
	}
	o.OneUser = cfg.PlainUser() != ""
	if o.Operator, err = address.Parse(config.Prefix+"OPERATOR", cfg.Operator); err != nil {
		return o, err
	}
	if o.From, err = account.Sender(cfg, "", ""); err != nil {
		return o, err
	}
	o.Mailbox, err = account.Mailbox(cfg, "", "")
	return o, err
}
