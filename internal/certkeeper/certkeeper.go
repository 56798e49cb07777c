// Package certkeeper makes and rotates the certificate of an account. It puts package
// certrotation together with the settings' files, Entra ID, Exchange Online and Microsoft
// Graph, and has the exit codes of what can go wrong.
package certkeeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/certrotation"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/graph"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/session"
)

// maxDays is how long a new certificate is valid at most.
const maxDays = 3650

// Template is what a new pair is like, by the flags --days and --name. The error is one of
// usage.
func Template(days int, name string) (keypair.Template, error) {
	switch {
	case days < 1 || days > maxDays:
		return keypair.Template{}, exit.Usagef("--days must be 1 to %d, got %d", maxDays, days)
	case name == "" || len(name) > keypair.MaxName:
		return keypair.Template{}, exit.Usagef("--name must have 1 to %d octets", keypair.MaxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return keypair.Template{}, exit.Usagef("--name must have printable characters in UTF-8 alone")
	}
	return keypair.Template{CommonName: name, Life: time.Duration(days) * 24 * time.Hour}, nil
}

// Make makes a pair in new files, and the file of its public part (certrotation.Public). The
// error is fs.ErrExist when one of them exists; nothing is written then.
func Make(ctx context.Context, files keypair.Files, t keypair.Template) (*keypair.Pair, error) {
	public := certrotation.Public(files.Certificate)
	for _, name := range []string{files.Certificate, files.Key, public} {
		if _, err := os.Lstat(name); name != "" && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w, and is never replaced", name, fs.ErrExist)
		}
	}
	pair, err := keypair.New(t)
	if err != nil {
		return nil, err
	}
	if err := write(pair, files, public); err != nil {
		return nil, err
	}
	return keypair.Read(ctx, files)
}

// write writes new files. What was written is removed again when the rest cannot be.
func write(pair *keypair.Pair, files keypair.Files, public string) error {
	main := []byte(pair.PEM().Reveal())
	if files.Key != "" {
		key, err := pair.KeyLike(pair)
		if err != nil {
			return err
		}
		if err := ownfile.WriteNew(files.Key, []byte(key.Reveal())); err != nil {
			return err
		}
		main = pair.CertificatePEM()
	}
	if err := ownfile.WriteNew(files.Certificate, main); err != nil {
		if files.Key != "" {
			err = errors.Join(err, os.Remove(files.Key))
		}
		return err
	}
	return ownfile.Replace(public, pair.CertificatePEM(), 0o644)
}

// Request is what to do with the certificate of an account: with neither Finish nor Upload,
// the next pair is made.
type Request struct {
	Finish, Upload bool
	Template       keypair.Template
	Within         int           // days before its end from which a rotation begins; 0: always
	Mailbox        string        // to sign in as
	ObjectID       string        // of the app registration; "": known, or asked for
	Graph          string        // URL of Microsoft Graph; "": that of the settings' cloud
	Timeout        time.Duration // of a token request, and of a sign-in
	Wait           time.Duration // until Entra ID knows a certificate that Graph added

	Step    func(text string)     // is told what is done
	Waiting func(d time.Duration) // is told that Entra ID does not know a certificate yet
}

// Done is what was done: the zero value but for Present means that it is too early.
type Done struct {
	Present  *keypair.Pair // as it was before
	Begun    *certrotation.Begun
	Finished *certrotation.Finished
	Uploaded *certrotation.Uploaded
}

// Rotate does what is asked with the certificate of the account's settings. For its errors
// there is Code.
func Rotate(ctx context.Context, a *account.Account, q Request) (done Done, err error) {
	r, err := certrotation.Open(options(a, q))
	if err != nil {
		return Done{}, err
	}
	defer r.Close()
	if done.Present, err = keypair.Read(ctx, a.Proof().CertificateFiles()); err != nil {
		return done, err
	}
	pending, err := r.Pending(ctx)
	if err != nil {
		return done, err
	}
	isEarly := q.Within > 0 && expiry.Item{Ends: done.Present.Leaf().NotAfter}.Days(time.Now()) > q.Within
	switch {
	case q.Finish:
		done.Finished, err = r.Finish(ctx)
	case isEarly && !pending:
	case q.Upload:
		done.Uploaded, err = r.Upload(ctx)
	default:
		done.Begun, err = r.Begin(ctx)
	}
	return done, err
}

// options are the wiring of a rotation.
func options(a *account.Account, q Request) certrotation.Options {
	prover := account.NewProver(a)
	said := map[string]string{
		"make-next": "making the next pair", "add-key": "asking Microsoft Graph to add the certificate",
		"prove": "signing in with the next certificate", "remove-key": "asking Microsoft Graph to remove the old certificate",
	}
	return certrotation.Options{
		Present: a.Proof().CertificateFiles(), Next: a.Proof().NextCertificateFiles().Certificate, Chain: a.Settings().OfficeClientCertificateChain,
		Make: func() (*keypair.Pair, error) { return keypair.New(q.Template) },
		Accepted: func(ctx context.Context, pair *keypair.Pair) error {
			ctx, cancel := context.WithTimeout(ctx, q.Timeout)
			defer cancel()
			_, err := prover.TokenBy(ctx, pair)
			return err
		},
		Prove: func(ctx context.Context, pair *keypair.Pair) error {
			return prover.SignInBy(ctx, pair, q.Mailbox, time.Now().Add(q.Timeout))
		},
		Refuses: func(err error) bool {
			refused, ok := errors.AsType[*entra.Error](err)
			return ok && refused.RefusesCredential()
		},
		Directory: prover.Directory(q.Graph), ObjectID: q.ObjectID, Wait: q.Wait,
		Pause: func(ctx context.Context, d time.Duration) error {
			q.Waiting(d)
			return backoff.Sleep(ctx, d)
		},
		Step: func(name string) error {
			if text := said[name]; text != "" {
				q.Step(text)
			}
			return nil
		},
	}
}

// Code is the exit code of an error of Make and Rotate that neither a token request nor a
// session ended with; exit.OK for those, which the catalogue of failures names.
func Code(err error) int {
	is := func(list ...error) bool {
		for _, e := range list {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	pair, ofPair := errors.AsType[*keypair.Error](err)
	refused, ofGraph := errors.AsType[*graph.Error](err)
	_, unsafe := errors.AsType[*ownfile.Error](err)
	_, ofSystem := errors.AsType[*fs.PathError](err)
	switch {
	case is(certrotation.ErrBusy, certrotation.ErrNotThere):
		return exit.TryAgain
	case is(certrotation.ErrNoNext), ofPair && errors.Is(pair, fs.ErrNotExist):
		return exit.NoInput
	case is(certrotation.ErrObjectID, certrotation.ErrIssued, certrotation.ErrForm, account.ErrNoGraph, account.ErrLocalEndpoint), ofPair:
		return exit.Config
	case ofGraph && refused.Temporary():
		return exit.TryAgain
	case ofGraph, is(certrotation.ErrEnded):
		return exit.NotAuthorised
	case unsafe, ofSystem, is(fs.ErrExist):
		return exit.CannotCreate
	}
	_, ofEntra := errors.AsType[*entra.Error](err)
	_, ofServer := errors.AsType[*session.Error](err)
	if ofEntra || ofServer {
		return exit.OK
	}
	return exit.IO
}
