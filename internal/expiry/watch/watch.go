// Package watch finds what of the settings in use ends by itself: the credential, the one
// that follows it, and the certificates of the relay. It reads files, and asks no server
// and runs no program.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// maxCertificates is the size in octets up to which a file of certificates is read.
const maxCertificates = 1 << 20

// Watch says where to look. It is safe for concurrent use.
type Watch struct {
	Config      *config.Config
	First, Next keypair.Files // of the certificate in use, and of the one that follows
}

// All are all the things that end by themselves, read anew: the
// credential, the one that follows it, and the certificates of the relay. Beside an
// error are those that could be read.
func (w Watch) All(ctx context.Context) ([]expiry.Item, error) {
	var items []expiry.Item
	var failed error
	switch w.Config.Credential.Kind {
	case credential.Certificate:
		items, failed = w.certificateItems(ctx)
	case credential.Secret:
		items = w.secretItems()
	case credential.Federated, credential.AccessToken:
		items, failed = w.tokenItems(ctx)
	case credential.ManagedIdentity:
	}
	relay, err := w.relayItems(ctx)
	return append(items, relay...), errors.Join(failed, err)
}

func (w Watch) secretItems() []expiry.Item {
	day := w.Config.OfficeClientSecretExpires
	if day.IsZero() || w.Config.Credential.Kind != credential.Secret {
		return nil
	}
	return []expiry.Item{{
		Kind: expiry.ClientSecret, Name: w.Config.Credential.By, Ends: day, WholeDay: true,
		Followed: !w.Config.OfficeClientSecretNext.IsZero(),
	}}
}

// certificateItems are the certificate and the one that follows it, if there is one.
func (w Watch) certificateItems(ctx context.Context) ([]expiry.Item, error) {
	chain, err := keypair.Certificates(ctx, w.First)
	if err != nil {
		return nil, err
	}
	first := expiry.Item{Kind: expiry.Certificate, Name: w.First.Certificate, Ends: chain[0].NotAfter}
	next, found, err := w.nextItem(ctx)
	if !found {
		return []expiry.Item{first}, err
	}
	return []expiry.Item{first.FollowedBy(next.Ends), next}, nil
}

// nextItem is the certificate that follows. found is false when there is none.
func (w Watch) nextItem(ctx context.Context) (next expiry.Item, found bool, err error) {
	chain, err := keypair.Certificates(ctx, w.Next)
	switch {
	case errors.Is(err, fs.ErrNotExist): // as it is between two rotations, also where a setting names it
		return expiry.Item{}, false, nil
	case err != nil:
		return expiry.Item{}, false, err
	}
	return expiry.Item{Kind: expiry.NextCertificate, Name: w.Next.Certificate, Ends: chain[0].NotAfter}, true, nil
}

// InUse is the credential in use alone; notAfter is the end of its certificate, zero for
// other kinds. The one that follows is looked at only when this one ends within that time: so it
// costs nearly nothing. What cannot be read is said by who needs it.
func (w Watch) InUse(ctx context.Context, notAfter, now time.Time, within time.Duration) []expiry.Item {
	if notAfter.IsZero() {
		token, _ := w.tokenItems(ctx)
		return append(w.secretItems(), token...)
	}
	first := expiry.Item{Kind: expiry.Certificate, Name: w.First.Certificate, Ends: notAfter}
	if first.EndsWithin(now, within) {
		if next, found, _ := w.nextItem(ctx); found {
			first = first.FollowedBy(next.Ends)
		}
	}
	return []expiry.Item{first}
}

// tokenItems is a token of another issuer, or of another program, when it is in a file
// or a variable, and says when it ends. The error says why there is no token.
func (w Watch) tokenItems(ctx context.Context) ([]expiry.Item, error) {
	c := w.Config.Credential
	if c.Kind != credential.Federated && c.Kind != credential.AccessToken {
		return nil, nil
	}
	kind, read := expiry.FederatedToken, idtoken.Fixed(c.Proof)
	switch {
	case c.Way == credential.File:
		read = idtoken.FromFile(c.Value)
	case c.Way != credential.Variable && c.Way != credential.GitLab:
		return nil, nil
	}
	if c.Kind == credential.AccessToken {
		kind = expiry.AccessToken
	}
	token, err := read(ctx)
	if err == nil && token.IsZero() {
		err = fmt.Errorf("is empty: %s", c.Value)
	}
	if err != nil {
		return nil, fmt.Errorf("the %s %w", kind, err)
	}
	claims, ok := idtoken.ReadClaims(token)
	if !ok || claims.Expires.IsZero() {
		return nil, nil
	}
	return []expiry.Item{{Kind: kind, Name: c.Value, Ends: claims.Expires}}, nil
}

// relayItems are the certificates that the relay's settings file names. Those that the
// relay makes for itself it renews.
func (w Watch) relayItems(ctx context.Context) (items []expiry.Item, failed error) {
	if w.Config.RelayFile == "" {
		return nil, nil
	}
	file, err := relayfile.Read(ctx, w.Config.RelayFile)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{"": true}
	for _, l := range file.Listeners {
		if seen[l.Certificate] {
			continue
		}
		seen[l.Certificate] = true
		data, err := ownfile.ReadAll(ctx, l.Certificate, maxCertificates)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s cannot be read: %s", l.Certificate, ownfile.Reason(err)))
			continue
		}
		chain, err := certfile.Read(data)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s %w", l.Certificate, err))
			continue
		}
		items = append(items, expiry.Item{Kind: expiry.RelayCertificate, Name: l.Certificate, Ends: chain[0].NotAfter})
	}
	return items, failed
}
