// Package seal encrypts a secret so that it can be in a settings file: a
// leaked or committed file does not give it away. It is encrypted with age to
// the identity in a file of its own, which is made at the first use, readable
// by its owner alone.
//
// What this does not protect against is someone who can read both files, thus
// anyone who runs as the same user, and root. Where systemd is at hand its
// credentials do better.
//
// The functions keep nothing between calls and may be called concurrently.
package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// Prefix begins a sealed value; unpadded base64 of an age file follows.
const Prefix = "sealed:"

// Limits in octets.
const (
	MaxSecret   = 64 << 10  // a secret
	maxSealed   = 128 << 10 // a sealed value
	maxIdentity = 64 << 10  // an identity file
)

// Reasons of an Error.
var (
	ErrNoIdentity      = errors.New("there is no identity file")
	ErrBadIdentity     = errors.New("the identity file cannot be used")
	ErrExposedIdentity = errors.New("the identity file is open to others")
	ErrWrongIdentity   = errors.New("the identity file is not the one that the value was sealed with")
	ErrDamaged         = errors.New("the sealed value is damaged")
)

// Error says why a value could not be sealed or opened, and what to do. It
// holds neither the value nor the identity, and names no setting: a program that has
// one for the identity file can say so.
type Error struct {
	File string // the identity file, "" when there is none or it is not to blame
	Hint string // what to do
	Err  error  // one of the reasons, or what the system said
}

// Error gives reason, file and hint.
func (e *Error) Error() string {
	text := e.Err.Error()
	if e.File != "" {
		text += ": " + e.File
	}
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// DefaultIdentityFile returns smtpsend/identity.txt in the user's configuration
// directory. It fails when the user has none, as a service may.
func DefaultIdentityFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", &Error{Err: ErrNoIdentity, Hint: "this user has no configuration directory"}
	}
	return filepath.Join(dir, "smtpsend", "identity.txt"), nil
}

// Seal encrypts s to the identity in the file, "" for the default one, which is
// made if it is not there, with its directories. The result is one line without
// blanks or quotes. Sealing twice gives different lines. The error is an *Error.
func Seal(identityFile string, s secret.String) (string, error) {
	name, err := fileOr(identityFile)
	if err != nil {
		return "", err
	}
	switch n := len(s.Reveal()); {
	case n == 0:
		return "", &Error{Err: errors.New("there is no secret to seal")}
	case n > MaxSecret:
		return "", &Error{Err: fmt.Errorf("the secret is longer than %d octets", MaxSecret)}
	}
	identity, err := readIdentity(name)
	if errors.Is(err, ErrNoIdentity) {
		if err := makeIdentity(name); err != nil {
			return "", err
		}
		identity, err = readIdentity(name)
	}
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, identity.Recipient())
	if err != nil {
		return "", &Error{File: name, Err: fmt.Errorf("sealing: %w", err)}
	}
	if _, err := io.WriteString(w, s.Reveal()); err != nil {
		return "", &Error{File: name, Err: fmt.Errorf("sealing: %w", err)}
	}
	if err := w.Close(); err != nil {
		return "", &Error{File: name, Err: fmt.Errorf("sealing: %w", err)}
	}
	return Prefix + base64.RawStdEncoding.EncodeToString(out.Bytes()), nil
}

// Open decrypts what Seal returned, with the identity in the file, "" for the
// default one. The error is an *Error.
func Open(identityFile, sealed string) (secret.String, error) {
	name, err := fileOr(identityFile)
	if err != nil {
		return secret.String{}, err
	}
	data, err := decode(sealed)
	if err != nil {
		return secret.String{}, err
	}
	identity, err := readIdentity(name)
	if err != nil {
		return secret.String{}, err
	}
	r, err := age.Decrypt(bytes.NewReader(data), identity)
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &noMatch):
		return secret.String{}, &Error{
			File: name, Err: ErrWrongIdentity,
			Hint: "use the right one, or seal the secret again with this one",
		}
	case err != nil:
		return secret.String{}, damaged()
	}
	plain, err := io.ReadAll(io.LimitReader(r, MaxSecret+1))
	if err != nil || len(plain) == 0 || len(plain) > MaxSecret {
		return secret.String{}, damaged()
	}
	return secret.New(string(plain)), nil
}

func damaged() error {
	return &Error{Err: ErrDamaged, Hint: "copy the whole line again, or seal the secret again"}
}

// decode takes the text form apart. Padding is tolerated, because people encode
// by hand, and nothing else is.
func decode(sealed string) ([]byte, error) {
	text, ok := strings.CutPrefix(sealed, Prefix)
	if !ok || len(text) > maxSealed {
		return nil, damaged()
	}
	data, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, damaged()
	}
	return data, nil
}

func fileOr(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	return DefaultIdentityFile()
}

// readIdentity reads the first identity of a file as age-keygen writes it.
func readIdentity(name string) (*age.X25519Identity, error) {
	f, err := ownfile.OpenTrusted(name)
	var untrusted *ownfile.Error
	if errors.Is(err, ownfile.ErrOthersWrite) {
		return nil, exposedIdentity(name)
	}
	if errors.As(err, &untrusted) {
		return nil, &Error{File: name, Err: fmt.Errorf("%w: it %s", ErrBadIdentity, untrusted.Reason)}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{File: name, Err: ErrNoIdentity, Hint: "copy the one that the value was sealed with to this place"}
	}
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("reading the identity file: %w", err), Hint: "it must belong to the user who runs smtpsend"}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("reading the identity file: %w", err)}
	}
	if exposed(info) {
		return nil, exposedIdentity(name)
	}
	// The cause is left out: age quotes parts of what it could not parse.
	data, err := io.ReadAll(io.LimitReader(f, maxIdentity))
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("reading the identity file: %w", err)}
	}
	text, err := charset.Strict(data) // Windows' editors and PowerShell put a byte order mark before it
	if err != nil {
		return nil, badIdentity(name)
	}
	identities, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil {
		return nil, badIdentity(name)
	}
	identity, ok := identities[0].(*age.X25519Identity)
	if !ok {
		return nil, badIdentity(name)
	}
	return identity, nil
}

func exposedIdentity(name string) error {
	return &Error{File: name, Err: ErrExposedIdentity, Hint: "run chmod 600 on it; if others may have read it, replace the secrets that were sealed with it"}
}

func badIdentity(name string) error {
	return &Error{File: name, Err: ErrBadIdentity, Hint: "it should contain a line that begins with AGE-SECRET-KEY-1; restore it from a copy, or remove it and seal again"}
}

// makeIdentity writes a new identity, in one step, so that another process never
// sees half of one. Under a lock, because an identity that is there must not be
// overwritten: nothing else opens what was sealed with it. The second uses
// the first one's.
func makeIdentity(name string) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return making(err)
	}
	if err := ownfile.MakeTrustedDir(filepath.Dir(name)); err != nil {
		return making(err)
	}
	lock, err := lockOf(name)
	if err != nil {
		return making(err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return making(err)
	}
	if err := ownfile.Replace(name, []byte("# This key opens the sealed values of smtpsend. No one else may read it. Keep a copy.\n"+
		"# public key: "+identity.Recipient().String()+"\n"+identity.String()+"\n"), 0o600); err != nil {
		return making(err)
	}
	// A process that waits for the lock, or makes another one, finds the identity.
	_ = os.Remove(name + lockSuffix)
	return nil
}

// lockWait is how long lockOf waits: making an identity takes milliseconds.
const lockWait = 10 * time.Second

const lockSuffix = ".lock"

// lockOf waits for the lock on making an identity, a file beside it.
func lockOf(name string) (*ownfile.Lock, error) {
	for end := time.Now().Add(lockWait); ; time.Sleep(10 * time.Millisecond) {
		lock, locked, err := ownfile.TryLock(name + lockSuffix)
		if err != nil || locked {
			return lock, err
		}
		if time.Now().After(end) {
			return nil, errors.New("another process has been making one for 10 s")
		}
	}
}

func making(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Err: fmt.Errorf("making an identity: %w", err)}
}

// exposed reports whether others than owner and group may read the file, or
// others than the owner may write it. The group may read, because a file that
// root owns and a service's group reads is a usual way. Windows has no such
// bits.
func exposed(info fs.FileInfo) bool {
	return filepath.Separator == '/' && info.Mode().Perm()&0o027 != 0
}
