package certrotation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/graph"
	"github.com/smtpsend/smtpsend/internal/keypair"
)

// Directory adds and removes the certificates of the application; *graph.Client with a
// token by signer does.
type Directory interface {
	Application(ctx context.Context, signer *keypair.Pair) (objectID string, keys []graph.Key, err error)
	AddKey(ctx context.Context, objectID string, signer *keypair.Pair, added *x509.Certificate) (keyID string, err error)
	RemoveKey(ctx context.Context, objectID string, signer *keypair.Pair, keyID string) error
}

// Uploaded is what a run of Upload did: a rotation, or, when one was done before, the
// removal of the old certificate.
type Uploaded struct {
	Finished *Finished // nil: no rotation was done
	// Removed are the SHA-1 thumbprints, by which the portal names them, of old certificates
	// that the application no longer has; ByHand those of which Graph did not tell the key ID.
	Removed, ByHand []string
}

// Upload rotates through Graph. When an earlier run has done so, it removes the old
// certificate, and no more.
func (r *Rotation) Upload(ctx context.Context) (*Uploaded, error) {
	present, err := r.present(ctx)
	if err != nil {
		return nil, err
	}
	if r.ended {
		return &Uploaded{Finished: &Finished{Now: present}}, nil
	}
	s, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	if r.o.ObjectID != "" {
		s.ObjectID = r.o.ObjectID
	}
	if exists(r.o.Next) || len(s.replaced(present)) == 0 {
		return r.rotate(ctx, s, present)
	}
	return r.removeOld(ctx, s, present)
}

// rotate makes, adds, proves and swaps.
func (r *Rotation) rotate(ctx context.Context, s *state, present *keypair.Pair) (*Uploaded, error) {
	begun, err := r.Begin(ctx)
	if err != nil {
		return nil, err
	}
	next := begun.Next
	accepted := r.o.Accepted(ctx, next)
	if accepted != nil && !r.o.Refuses(accepted) {
		return nil, accepted
	}
	if accepted != nil {
		if err := r.add(ctx, s, present, next); err != nil {
			return nil, err
		}
	}
	// Before the swap: after it no file says any more which one was replaced.
	if s.replace(present, r.o.Now()) {
		if err := r.do("record-old", func() error { return r.save(s) }); err != nil {
			return nil, err
		}
	}
	finished, err := r.swap(ctx, present, next)
	if err != nil {
		return nil, err
	}
	return &Uploaded{Finished: finished}, nil
}

// add adds the next certificate to the application and waits until Entra ID takes it.
func (r *Rotation) add(ctx context.Context, s *state, present, next *keypair.Pair) error {
	key := s.key(next)
	if key.KeyID == "" && r.o.Now().Before(key.Requested.Add(r.o.Wait)) {
		// A run that was killed has asked Graph, and did not hear the answer: what it asked
		// for may be under way.
		if err := r.await(ctx, next, key.Requested.Add(r.o.Wait)); err == nil || !errors.Is(err, ErrNotThere) {
			return err
		}
	}
	if key.KeyID == "" {
		if r.o.Now().After(present.Leaf().NotAfter) {
			return fmt.Errorf("%w: %s, then smtpsend cert rotate --finish", ErrEnded, Public(r.o.Next))
		}
		if err := r.find(ctx, s, present); err != nil {
			return err
		}
		key.Requested = r.o.Now()
		if err := r.do("record-request", func() error { return r.save(s) }); err != nil {
			return err
		}
		err := r.do("add-key", func() (err error) {
			key.KeyID, err = r.o.Directory.AddKey(ctx, s.ObjectID, present, next.Leaf())
			return err
		})
		if refused, ok := errors.AsType[*graph.Error](err); ok && !refused.Temporary() {
			key.Requested = time.Time{} // nothing is under way
			return errors.Join(err, r.save(s))
		}
		if err != nil {
			return err
		}
		if err := r.do("record-key", func() error { return r.save(s) }); err != nil {
			return err
		}
	}
	return r.await(ctx, next, r.o.Now().Add(r.o.Wait))
}

// find makes sure that the object ID is known.
func (r *Rotation) find(ctx context.Context, s *state, signer *keypair.Pair) error {
	if s.ObjectID != "" {
		return nil
	}
	id, _, err := r.o.Directory.Application(ctx, signer)
	if denied, ok := errors.AsType[*graph.Error](err); ok && denied.Denied() {
		return fmt.Errorf("%w: %w", ErrObjectID, err)
	}
	s.ObjectID = id
	return err
}

// The time between two requests grows from the one to the other.
const (
	firstPause = 2 * time.Second
	lastPause  = 15 * time.Second
)

// await waits until Entra ID takes the pair, at most until a time.
func (r *Rotation) await(ctx context.Context, p *keypair.Pair, until time.Time) error {
	pause := firstPause
	for {
		err := r.do("wait", func() error { return r.o.Accepted(ctx, p) })
		switch {
		case err == nil:
			return nil
		case !r.o.Refuses(err):
			return err
		case r.o.Now().Add(pause).After(until):
			return fmt.Errorf("%w (%w)", ErrNotThere, err)
		}
		if err := r.o.Pause(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, lastPause)
	}
}

// removeOld removes what earlier runs have replaced, after the present one was proven: the
// last certificate that Entra ID takes is never removed.
func (r *Rotation) removeOld(ctx context.Context, s *state, present *keypair.Pair) (*Uploaded, error) {
	if err := r.do("accepted", func() error { return r.o.Accepted(ctx, present) }); err != nil {
		return nil, err
	}
	done := &Uploaded{}
	for _, old := range s.replaced(present) {
		id, err := r.keyID(ctx, s, present, old)
		if err != nil {
			return nil, err
		}
		if id == "" {
			done.ByHand = append(done.ByHand, old.Short)
		} else {
			err := r.do("remove-key", func() error { return r.o.Directory.RemoveKey(ctx, s.ObjectID, present, id) })
			gone, ok := errors.AsType[*graph.Error](err)
			if isGone := ok && gone.Gone(); err != nil && !isGone {
				return nil, err
			}
			done.Removed = append(done.Removed, old.Short)
		}
		s.forget(old.Thumbprint)
		if err := r.do("forget", func() error { return r.save(s) }); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// keyID is the ID of an old certificate's key credential: known because it was added here,
// or found where the application may read itself; else "".
func (r *Rotation) keyID(ctx context.Context, s *state, signer *keypair.Pair, old record) (string, error) {
	if old.KeyID != "" && s.ObjectID != "" {
		return old.KeyID, nil
	}
	id, keys, err := r.o.Directory.Application(ctx, signer)
	if denied, ok := errors.AsType[*graph.Error](err); ok && denied.Denied() {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	s.ObjectID = id
	for _, k := range keys {
		if old.is(k) {
			return k.ID, nil
		}
	}
	return "", nil
}
