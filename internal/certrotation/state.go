package certrotation

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/graph"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// state is what no other file says: what Graph was asked, and answered. It holds no secret.
type state struct {
	Version  int       `json:"version"`
	ObjectID string    `json:"object_id,omitempty"` // of the app registration
	Added    []*record `json:"added,omitempty"`     // certificates that Graph was asked to add
	Old      []record  `json:"old,omitempty"`       // that were replaced, and may still be registered
}

// record is a certificate.
type record struct {
	Thumbprint string    `json:"sha256"`
	Short      string    `json:"sha1"`
	KeyID      string    `json:"key_id,omitempty"` // "": not known
	Requested  time.Time `json:"requested,omitzero"`
	Replaced   time.Time `json:"replaced,omitzero"`
}

const stateVersion = 1

// maxState is the size of the state at most, in octets.
const maxState = 1 << 20

func recordOf(p *keypair.Pair) record {
	short, long := keypair.Thumbprints(p.Leaf())
	return record{Thumbprint: long, Short: short}
}

func (r record) is(k graph.Key) bool {
	return strings.EqualFold(hex.EncodeToString(k.Thumbprint), r.Short)
}

// key is the record of a pair that is added, made when there is none.
func (s *state) key(p *keypair.Pair) *record {
	own := recordOf(p)
	for _, k := range s.Added {
		if k.Thumbprint == own.Thumbprint {
			return k
		}
	}
	s.Added = append(s.Added, &own)
	return &own
}

// replace notes that a pair will be replaced, and reports that this is new.
func (s *state) replace(p *keypair.Pair, now time.Time) bool {
	own := recordOf(p)
	if slices.ContainsFunc(s.Old, func(o record) bool { return o.Thumbprint == own.Thumbprint }) {
		return false
	}
	own.Replaced = now
	for _, k := range s.Added {
		if k.Thumbprint == own.Thumbprint {
			own.KeyID = k.KeyID
		}
	}
	s.Old = append(s.Old, own)
	return true
}

// replaced are the old ones, without the present one, whose swap was not done.
func (s *state) replaced(present *keypair.Pair) []record {
	own := recordOf(present)
	return slices.DeleteFunc(slices.Clone(s.Old), func(o record) bool { return o.Thumbprint == own.Thumbprint })
}

func (s *state) forget(thumbprint string) {
	s.Old = slices.DeleteFunc(s.Old, func(o record) bool { return o.Thumbprint == thumbprint })
	s.Added = slices.DeleteFunc(s.Added, func(k *record) bool { return k.Thumbprint == thumbprint })
}

// stateSuffix is what the state's file is called after the certificate's.
const stateSuffix = ".rotation.json"

func (r *Rotation) stateFile() string { return r.o.Present.Certificate + stateSuffix }

func (r *Rotation) load(ctx context.Context) (*state, error) {
	s := &state{Version: stateVersion}
	data, err := ownfile.ReadAll(ctx, r.stateFile(), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil { // others could have keys removed by it
		err = ownfile.CheckBeside(r.stateFile(), r.o.Present.Certificate)
	}
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err == nil && s.Version != stateVersion {
		err = fmt.Errorf("is of version %d, which this program does not know", s.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.stateFile(), err)
	}
	s.Added = slices.DeleteFunc(s.Added, func(k *record) bool { return k == nil })
	return s, nil
}

func (r *Rotation) save(s *state) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return ownfile.Replace(r.stateFile(), append(data, '\n'), 0o600)
}

// Pending reports what an earlier run has left to do for Upload: the end of a rotation, or
// the removal of an old certificate.
func (r *Rotation) Pending(ctx context.Context) (bool, error) {
	present, err := r.present(ctx)
	if err != nil {
		return false, err
	}
	s, err := r.load(ctx)
	if err != nil {
		return false, err
	}
	return exists(r.o.Next) || len(s.replaced(present)) > 0, nil
}
