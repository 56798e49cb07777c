package entra

import (
	"context"
	"net/url"
	"slices"
	"sync"
)

// Succession is a credential and the one that follows it, so that it can be renewed
// without a gap: when Entra ID refuses the one in use as wrong or expired, another one is
// used from then on. It is safe for concurrent use.
type Succession struct {
	first  Credential
	reread func() (Credential, error)
	next   func() (Credential, error)
	used   func(refused *Error)

	mu      sync.Mutex
	current Credential
	told    bool // used was called, since the first was in use
}

// NewSuccession returns a succession. reread, unless it is nil, returns the first as it is
// now: a process that runs for months meets its renewal. next returns the one that
// follows, nil when there is none. Both are called at each refusal. used is told of the
// refusal when the next one takes over.
func NewSuccession(first Credential, reread, next func() (Credential, error), used func(refused *Error)) *Succession {
	return &Succession{first: first, reread: reread, next: next, used: used, current: first}
}

// Params are those of the credential in use.
func (s *Succession) Params(ctx context.Context, clientID, tokenURL string) (url.Values, error) {
	return s.inUse().Params(ctx, clientID, tokenURL)
}

func (s *Succession) inUse() Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Fingerprint is that of the first, in whose place the others get tokens.
func (s *Succession) Fingerprint() [32]byte { return s.first.Fingerprint() }

// advance reports that there is a credential to ask with that was not tried. The error
// says why one cannot be used.
func (s *Succession) advance(tried map[[32]byte]bool, refused *Error) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !tried[s.current.Fingerprint()] {
		return true, nil // another request was faster
	}
	first := s.reread
	if first == nil {
		first = func() (Credential, error) { return s.first, nil }
	}
	var unusable error
	for _, candidate := range []struct {
		read   func() (Credential, error)
		isNext bool
	}{{first, false}, {s.next, true}} {
		c, err := candidate.read()
		switch {
		case err != nil:
			unusable = err
			continue
		case c == nil || tried[c.Fingerprint()]:
			continue
		}
		if s.current = c; candidate.isNext && !s.told {
			s.used(refused)
		}
		s.told = candidate.isNext
		return true, nil
	}
	return false, unusable
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
