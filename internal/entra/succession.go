package entra

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/oauth2"
)

// Succession is a credential and those that may take its place, so that it can be renewed
// without a gap: when Entra ID refuses the one in use as wrong or expired, the others are
// tried, and the first that it takes is used from then on. It is safe for concurrent use.
type Succession struct {
	first  Credential
	others func() ([]Credential, error)
	used   func(taken Credential, refused *Error)

	trying  sync.Mutex // one request at a time looks for another credential
	mu      sync.Mutex
	current Credential
	changes int // of current
}

// NewSuccession returns a succession of two. next is called once at most, when the first
// is refused; it returns nil when there is no next one. used is told of the refusal when
// the next is used, once.
func NewSuccession(first Credential, next func() (Credential, error), used func(refused *Error)) *Succession {
	once := sync.OnceValues(next)
	return NewRenewable(first, func() ([]Credential, error) {
		c, err := once()
		if c == nil {
			return nil, err
		}
		return []Credential{c}, err
	}, func(_ Credential, refused *Error) { used(refused) })
}

// NewRenewable returns a succession whose others are looked for each time that the one in
// use is refused: a process that runs for months sees what was put in its place meanwhile.
// others may return the one in use, too; with an error, it may return those that can be
// used. used is told which one was taken in place of the one that was refused.
func NewRenewable(first Credential, others func() ([]Credential, error), used func(taken Credential, refused *Error)) *Succession {
	return &Succession{first: first, others: others, used: used, current: first}
}

// Params are those of the credential in use.
func (s *Succession) Params(ctx context.Context, clientID, tokenURL string) (url.Values, error) {
	current, _ := s.inUse()
	return current.Params(ctx, clientID, tokenURL)
}

// inUse is the credential in use, and a number that changes with it.
func (s *Succession) inUse() (Credential, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current, s.changes
}

// Fingerprint is that of the first, in whose place the others get tokens.
func (s *Succession) Fingerprint() [32]byte { return s.first.Fingerprint() }

// ask asks with the credential in use, and with the others when that one is refused.
func (s *Succession) ask(ctx context.Context, ask func(context.Context, Credential) (*oauth2.Token, error)) (*oauth2.Token, error) {
	current, number := s.inUse()
	token, err := ask(ctx, current)
	refused, isError := errors.AsType[*Error](err)
	if !isError || !refused.RefusesCredential() {
		return token, err
	}
	s.trying.Lock()
	defer s.trying.Unlock()
	if now, changes := s.inUse(); changes != number { // another request was faster
		return ask(ctx, now)
	}
	others, unusable := s.others()
	for _, other := range others {
		if same(other, current) {
			continue
		}
		token, again := ask(ctx, other)
		if again == nil {
			s.take(other, refused)
			return token, nil
		}
		if failed, ok := errors.AsType[*Error](again); !ok || !failed.RefusesCredential() {
			return nil, again
		}
		err = fmt.Errorf("entra: the first credential was refused (%s), and so was the next one: %w", refused.number(), again)
	}
	if unusable != nil {
		return nil, fmt.Errorf("entra: the next credential cannot be used: %w: %w", unusable, err)
	}
	return nil, err
}

// number is the AADSTS number, as Entra ID writes it.
func (e *Error) number() string { return fmt.Sprintf("AADSTS%d", e.AADSTS[0]) } // RefusesCredential goes by one

func (s *Succession) take(c Credential, refused *Error) {
	s.mu.Lock()
	s.current = c
	s.changes++
	s.mu.Unlock()
	s.used(c, refused)
}

// same reports that two credentials are one. Two certificates may have one key.
func same(a, b Credential) bool {
	x, y := identityOf(a), identityOf(b)
	return bytes.Equal(x[:], y[:])
}

func identityOf(c Credential) [32]byte {
	if c, ok := c.(certificateCredential); ok {
		return sha256.Sum256(append([]byte(c.pair.Key().Reveal()), c.pair.Leaf().Raw...))
	}
	return c.Fingerprint()
}

// RefusesCredential reports that Entra ID did not take the secret or the certificate:
// another one may be taken. That is not so for a federated token, nor for an application
// that is disabled.
func (e *Error) RefusesCredential() bool {
	return e.Refusal() && slices.ContainsFunc(e.AADSTS, func(n int) bool {
		switch n {
		case 7000215, 7000222: // wrong, expired secret
			return true
		case 700027, 700030, 1000502, 50012: // certificate that is not registered, not usable, expired; of either, in older words
			return true
		}
		return false
	})
}
