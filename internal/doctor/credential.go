package doctor

import (
	"context"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/presented"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Credential is what proves the client to the token endpoint, as far as it may be shown.
type Credential struct {
	Kind  string // in a line: its kind, its way and the variable that chose it
	Notes []string
	Odd   bool // it has ended, or is not valid yet, by the clock of this machine
}

// inUse looks at the credential of the settings. The error says why it cannot be used.
func inUse(ctx context.Context, acct *account.Account) (Credential, error) {
	choice := acct.Settings().Credential
	c := Credential{Kind: choice.String()}
	switch choice.Kind {
	case credential.Certificate:
		used, err := acct.Proof().InUse() // not read again: decrypting a key is made to cost much
		if err != nil {
			return c, err
		}
		_, leaf, err := used.Pair.Signer()
		if err != nil {
			return c, err
		}
		short, long := keypair.Thumbprints(leaf)
		c.Kind += ", thumbprint " + short
		c.Notes = append(c.Notes, "thumbprint (SHA-1)   "+short+": as the portal shows it", "thumbprint (SHA-256) "+long)
		if time.Now().Before(leaf.NotBefore) {
			c.Odd = true
			c.Notes = append(c.Notes, "valid from "+leaf.NotBefore.UTC().Format(time.RFC3339)+" on, which has not come yet")
		}
		c.until(leaf.NotAfter)
	case credential.Federated:
		token, err := acct.Proof().FederatedToken()(ctx)
		if err != nil {
			return c, &entra.FederatedError{Err: err} // as the token source has it
		}
		claims, ok := idtoken.ReadClaims(token)
		if !ok {
			c.Notes = append(c.Notes, "it is not a JWT, so Entra ID will refuse it")
			break
		}
		c.Notes = append(c.Notes, presented.Proof{Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.Audience}.Note())
		if !claims.Expires.IsZero() {
			c.until(claims.Expires)
		}
	}
	return c, nil
}

// until notes when it ends.
func (c *Credential) until(end time.Time) {
	text := "valid until " + end.UTC().Format(time.RFC3339)
	if time.Now().After(end) {
		c.Odd = true
		text += ", which is over"
	}
	c.Notes = append(c.Notes, text)
}

// credential names the credential in use.
func (e *endpoint) credential(ctx context.Context) {
	if e.o.Credential == nil || e.record.blocked(nameCredential, nameSettings) {
		return
	}
	c := Check{Name: nameCredential, Status: OK, Limit: e.o.Limit}
	within, cancel := context.WithTimeout(ctx, e.o.Limit)
	defer cancel()
	started := time.Now()
	found, err := e.o.Credential(within)
	c.Took, c.Seen, c.Notes = time.Since(started), found.Kind, found.Notes
	if found.Odd {
		c.Status = Warn
	}
	if err != nil {
		c.Seen += ": " + err.Error()
		c = e.record.broke(c, failure(smtp.StageToken, err))
	}
	e.record.add(c)
}
