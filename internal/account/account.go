// Package account turns the settings into what a submission needs: the one token
// that all processes with these settings share (internal/entra asks for it,
// tokencache keeps it), the certificates to trust, the proxy, the slots for
// connections of a mailbox, and the options of a session. It is wired here once:
// for the library, the courier, doctor and every verb.
//
// Nothing is asked of any server before a session or a token is.
package account

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/proof"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/tokencache"
)

// Options say what of an account is not a setting. The zero value of each field is
// right for a program that shows nothing.
type Options struct {
	// CacheDir is where the token and the slots of a mailbox are kept; "": they
	// are this process's alone.
	CacheDir string
	// CountHere, without a CacheDir, keeps this process to the connections that a
	// mailbox may have. Otherwise they are not counted then.
	CountHere bool
	Logger    *slog.Logger // nil: nothing is logged
	// Trace, when set, gets each line of the dialogue with the server, without
	// credentials and content.
	Trace func(line string)
	// Warn, when set, is told what is wrong with the kept token, that the next credential
	// is used (*proof.NextInUseError), and when the credential is made, that it ends soon or has
	// ended (*expiry.Warning).
	Warn func(error)
	// Now is the clock by which it is judged what ends; nil: time.Now.
	Now func() time.Time
	// Waiting, when set, is told that all connections of a mailbox are taken.
	Waiting func(mailbox string)
	// Unlimited, when set, is told once why the connections of a mailbox are not
	// counted.
	Unlimited func(error)
}

// Account is settings in use. It is safe for use by several goroutines.
type Account struct {
	cfg   *config.Config
	opts  Options
	roots func() *x509.CertPool // read at most once, when first needed

	chunking session.Chunking                  // what its sessions have learned of the server
	slots    submission.MemorySlots            // with CountHere
	tokens   func() (*tokencache.Cache, error) // the one that every session asks

	proof *proof.Proof // the credential
}

// New makes an account of settings that config.Load has checked.
func New(cfg *config.Config, o Options) *Account {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Account{cfg: cfg, opts: o, roots: sync.OnceValue(cfg.RootCAs)}
	a.tokens = sync.OnceValues(a.sharedTokens)
	a.proof = proof.New(proof.Options{Config: cfg, Client: a.client, Warn: o.Warn, Now: o.Now})
	return a
}

// Proof is the credential of the account.
func (a *Account) Proof() *proof.Proof { return a.proof }

// client is for the token endpoint, and for those who give federated tokens.
func (a *Account) client() *http.Client { return entra.NewHTTPClient(a.roots(), a.proxy()) }

// Settings are those of the account.
func (a *Account) Settings() *config.Config { return a.cfg }

// Server is the part of a session's options that leads to the server, for mailbox.
func (a *Account) Server(mailbox string) session.Options {
	cfg := a.cfg
	return session.Options{
		Host: strings.Trim(cfg.MailServer, "[]"), Port: cfg.SMTPPort, Mailbox: mailbox,
		Security: map[choice.Security]session.Security{
			choice.SecurityNone: session.Plaintext, choice.SecurityImplicit: session.ImplicitTLS,
		}[cfg.SMTPSecurity],
		LoadRoots: func() (*x509.CertPool, error) { return a.roots(), nil },
		EHLOName:  cfg.EHLOName, Proxy: cfg.ProxyURL(), IPFamily: string(cfg.IPFamily), Trace: a.opts.Trace,
		Chunking: &a.chunking, Recipients: cfg.Service.RecipientsPerMessage(),
	}
}

// Session is what a session for mailbox needs. Where the settings have a user of a
// plain name, that one signs in. The error is about the key of the token cache.
func (a *Account) Session(mailbox string) (session.Options, error) {
	if user := a.cfg.PlainUser(); user != "" {
		mailbox = user
	}
	o := a.Server(mailbox)
	tokens, err := a.Tokens(0)
	if err != nil {
		return session.Options{}, err
	}
	o.Tokens = source{tokens}
	o.Slots = slotsOf(a)
	return o, nil
}

// slotsOf are those that a session of a mailbox takes one of.
func slotsOf(a *Account) session.Slots {
	switch dir := a.opts.CacheDir; {
	case dir != "":
		slots := submission.NewLockSlots(filepath.Join(dir, "slots"), 0)
		slots.Waiting, slots.Unusable = a.opts.Waiting, once(a.opts.Unlimited)
		return slots
	case a.opts.CountHere:
		return &a.slots
	}
	return nil
}

// once is f, called the first time alone; nil for nil.
func once(f func(error)) func(error) {
	if f == nil {
		return nil
	}
	var done sync.Once
	return func(err error) { done.Do(func() { f(err) }) }
}

// Facts fill the placeholders of the catalogue's commands: what settings say of a
// mailbox, and of the address in From.
func Facts(cfg *config.Config, mailbox, from string) diagnosis.Facts {
	return diagnosis.Facts{
		ClientID: cfg.OfficeClientID, TenantID: cfg.OfficeTenantID, Mailbox: mailbox, From: from,
		Server: cfg.MailServer, Port: cfg.SMTPPort, TokenURL: cfg.TokenURL(),
	}
}

// Claims are those of a token, nil when it cannot be read. They name the enterprise
// application, which no setting does.
func Claims(cfg *config.Config, token bearer.Token) *diagnosis.Claims {
	claims, err := diagnosis.ReadClaims(token.Access.Reveal())
	if err != nil {
		return nil
	}
	claims.Wanted, claims.HVE = diagnosis.Resource(cfg.OfficeAccessScopes), cfg.Service == choice.ServiceHVE
	return &claims
}

// Known is Facts with what the token says, and its claims.
func Known(cfg *config.Config, mailbox, from string, token bearer.Token) (diagnosis.Facts, *diagnosis.Claims) {
	f, claims := Facts(cfg, mailbox, from), Claims(cfg, token)
	if claims != nil {
		f.ObjectID = claims.ObjectID
	}
	return f, claims
}
