package account

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// maxCertificates is the size in octets up to which a file of certificates is read.
const maxCertificates = 1 << 20

// warnOfEnd warns of a credential that ends within 30 days, or has ended. It is asked
// once, when the credential is made, and is given what was read for that anyway.
func (a *Account) warnOfEnd(items ...expiry.Item) {
	if a.opts.Warn == nil {
		return
	}
	now := a.opts.Now()
	for _, i := range expiry.Within(items, now, expiry.Notice) {
		a.opts.Warn(&expiry.Warning{Item: i, At: now})
	}
}

// Ends are all the things of these settings that end by themselves, read anew: the
// credential, the one that follows it, and the certificates of the relay. Beside an
// error are those that could be read. No server is asked, and no program is run.
func (a *Account) Ends(ctx context.Context) ([]expiry.Item, error) {
	var items []expiry.Item
	var failed error
	switch a.cfg.Credential.Kind {
	case credential.Certificate:
		items, failed = a.certificateItems(ctx)
	case credential.Secret:
		items = a.secretItems()
	case credential.Federated, credential.AccessToken:
		items = a.tokenItems(ctx)
	}
	relay, err := a.relayItems(ctx)
	return append(items, relay...), errors.Join(failed, err)
}

func (a *Account) secretItems() []expiry.Item {
	day := a.cfg.OfficeClientSecretExpires
	if day.IsZero() || a.cfg.Credential.Kind != credential.Secret {
		return nil
	}
	return []expiry.Item{{
		Kind: expiry.ClientSecret, Name: a.cfg.Credential.By, Ends: day, WholeDay: true,
		Followed: !a.cfg.OfficeClientSecretNext.IsZero(),
	}}
}

// certificateItems are the certificate and the one that follows it, if there is one.
func (a *Account) certificateItems(ctx context.Context) ([]expiry.Item, error) {
	chain, err := keypair.Certificates(ctx, a.CertificateFiles())
	if err != nil {
		return nil, err
	}
	first := expiry.Item{Kind: expiry.Certificate, Name: a.cfg.Credential.Value, Ends: chain[0].NotAfter}
	next, found, err := a.nextItem(ctx)
	if !found {
		return []expiry.Item{first}, err
	}
	return []expiry.Item{first.FollowedBy(next.Ends), next}, nil
}

// nextItem is the certificate that follows. found is false when there is none.
func (a *Account) nextItem(ctx context.Context) (next expiry.Item, found bool, err error) {
	files := a.NextCertificateFiles()
	chain, err := keypair.Certificates(ctx, files)
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.cfg.OfficeClientCertificateNextFile == "":
		return expiry.Item{}, false, nil
	case err != nil:
		return expiry.Item{}, false, err
	}
	return expiry.Item{Kind: expiry.NextCertificate, Name: files.Certificate, Ends: chain[0].NotAfter}, true, nil
}

// warnOfCertificate is warnOfEnd for a certificate that was read. The next one is looked
// at only when this one ends soon.
func (a *Account) warnOfCertificate(c *x509.Certificate) {
	first := expiry.Item{Kind: expiry.Certificate, Name: a.cfg.Credential.Value, Ends: c.NotAfter}
	if a.opts.Warn == nil || !first.EndsWithin(a.opts.Now(), expiry.Notice) {
		return
	}
	if next, found, _ := a.nextItem(context.Background()); found {
		first = first.FollowedBy(next.Ends)
	}
	a.warnOfEnd(first)
}

// tokenItems is a token of another issuer, or of another program, when it is in a file
// or a variable, and says when it ends. What cannot be read is said by who needs it.
func (a *Account) tokenItems(ctx context.Context) []expiry.Item {
	c := a.cfg.Credential
	kind, read := expiry.FederatedToken, idtoken.Fixed(c.Proof)
	switch {
	case c.Way == credential.File:
		read = idtoken.FromFile(c.Value)
	case c.Way != credential.Variable && c.Way != credential.GitLab:
		return nil
	}
	if c.Kind == credential.AccessToken {
		kind = expiry.AccessToken
	}
	token, err := read(ctx)
	if err != nil {
		return nil
	}
	claims, ok := idtoken.ReadClaims(token)
	if !ok || claims.Expires.IsZero() {
		return nil
	}
	return []expiry.Item{{Kind: kind, Name: c.Value, Ends: claims.Expires}}
}

// relayItems are the certificates that the relay's settings file names. Those that the
// relay makes for itself it renews.
func (a *Account) relayItems(ctx context.Context) (items []expiry.Item, failed error) {
	if a.cfg.RelayFile == "" {
		return nil, nil
	}
	file, err := relayfile.Read(ctx, a.cfg.RelayFile)
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
