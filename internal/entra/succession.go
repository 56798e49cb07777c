package entra

import (
	"context"
	"net/url"
	"slices"
	"sync"
)

// Succession is a credential and the one that follows it, so that it can be renewed
// without a gap: when Entra ID refuses the first as wrong or expired, the next one is
// used from then on. It is safe for concurrent use.
type Succession struct {
	first Credential
	next  func() (Credential, error) // nil, nil: there is none
	used  func(refused *Error)

	mu       sync.Mutex
	current  Credential
	advanced int  // how often current was changed
	tried    bool // next was called
}

// NewSuccession returns a succession. next is called once at most, when the first is
// refused; it returns nil when there is no next one. used is told of the refusal when the
// next is used, once.
func NewSuccession(first Credential, next func() (Credential, error), used func(refused *Error)) *Succession {
	return &Succession{first: first, next: next, used: used, current: first}
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
	return s.current, s.advanced
}

// Fingerprint is that of the first, in whose place the next one gets tokens.
func (s *Succession) Fingerprint() [32]byte { return s.first.Fingerprint() }

// advance reports that there is another credential to ask with than the one of that
// number, which was refused. The error says why the next cannot be used.
func (s *Succession) advance(number int, refused *Error) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.advanced != number {
		return true, nil // another request was faster
	}
	if s.tried {
		return false, nil
	}
	s.tried = true
	next, err := s.next()
	if next == nil || err != nil {
		return false, err
	}
	s.current = next
	s.advanced++
	s.used(refused)
	return true, nil
}

// RefusesCredential reports that Entra ID did not take the secret or the certificate:
// another one may be taken. That is not so for a federated token, nor for an application
// that is disabled.
func (e *Error) RefusesCredential() bool {
	return e.Refusal() && slices.ContainsFunc(e.AADSTS, func(n int) bool {
		switch n {
		case 7000215, 7000222: // wrong, expired secret
			return true
		case 700027, 700030, 1000502: // certificate that is not registered, not usable, expired
			return true
		}
		return false
	})
}
