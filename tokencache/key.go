package tokencache

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Identity says whose token it is, and for what.
type Identity struct {
	Authority string // or the URL of the token endpoint
	Tenant    string // if Authority does not contain it
	Client    string
	Scope     string // several are separated by a blank
}

// Key names one token in a store and contains the encryption key for it. When a Key is
// printed, only its ID is shown. Make it with NewKey.
type Key struct {
	id   string
	seal *[32]byte // behind a pointer, for fmt in structs whose methods it cannot call
}

// errNoKey is what a store returns for the zero Key.
var errNoKey = errors.New("tokencache: key is the zero Key")

// NewKey derives the key of a token from identity and from the credential that the token
// is fetched with: the client secret itself, or octets that only its holder can make. A
// change of either gives another key. The credential is not kept and cannot be computed
// from the key. It should be hard to guess, because a guess can be tested with a stolen
// file. An empty credential is an error.
func NewKey(identity Identity, credential []byte) (Key, error) {
	if len(credential) == 0 {
		return Key{}, errors.New("tokencache: credential is empty")
	}
	var names string
	for _, s := range []string{identity.Authority, identity.Tenant, identity.Client, identity.Scope} {
		names += strconv.Itoa(len(s)) + ":" + s // so that no two identities read the same
	}
	pseudorandom, err := hkdf.Extract(sha256.New, credential, nil)
	if err != nil {
		return Key{}, fmt.Errorf("tokencache: deriving a key: %w", err)
	}
	seal, err := hkdf.Expand(sha256.New, pseudorandom, "tokencache 1 seal "+names, 32)
	if err != nil {
		return Key{}, fmt.Errorf("tokencache: deriving a key: %w", err)
	}
	id, err := hkdf.Expand(sha256.New, pseudorandom, "tokencache 1 id "+names, 16)
	if err != nil {
		return Key{}, fmt.Errorf("tokencache: deriving a key: %w", err)
	}
	return Key{id: hex.EncodeToString(id), seal: (*[32]byte)(seal)}, nil
}

// IsZero reports whether k is the zero Key.
func (k Key) IsZero() bool { return k.seal == nil }

// ID returns 32 hexadecimal digits that are the key's name in a store, "" for
// the zero Key. They say nothing about identity and credential.
func (k Key) ID() string { return k.id }

// String returns the ID.
func (k Key) String() string { return k.id }

// Format writes the ID for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.id) }
