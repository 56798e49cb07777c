package users

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// ErrUnknown is wrapped when a name is not in the file.
var ErrUnknown = errors.New("no such user")

// Add gives a name a password, and reports whether that replaced another. The file is
// made when it does not exist, for those who can read the file like (ownfile.ReplaceFor;
// "": for this user alone); else its other lines, its mode and its owner stay. The error
// is of CheckName or CheckPassword, of Open, or of the file system.
func Add(ctx context.Context, path, like, name, password string) (replaced bool, err error) {
	if err := CheckName(name); err != nil {
		return false, fmt.Errorf("the name %w", err)
	}
	if err := CheckPassword(password); err != nil {
		return false, fmt.Errorf("the password %w", err)
	}
	line := name + ":" + makeHash(password).String()
	err = edit(ctx, path, like, func(f *file) error {
		if e := f.find(name); e != nil {
			replaced = true
			f.lines[e.Line-1] = line
			return nil
		}
		f.lines = append(f.lines, line)
		return nil
	})
	return replaced, err
}

// Remove takes a name out. The error wraps ErrUnknown when it is not there, or is as
// Add's.
func Remove(ctx context.Context, path, name string) error {
	return edit(ctx, path, "", func(f *file) error {
		e := f.find(name)
		if e == nil {
			return fmt.Errorf("%w: %.80q", ErrUnknown, name)
		}
		f.lines = slices.Delete(f.lines, e.Line-1, e.Line)
		return nil
	})
}

// List returns the entries in the order of the file, and what is to be warned of. The
// error is as Open's.
func List(ctx context.Context, path string) ([]Entry, []Problem, error) {
	f, err := read(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	return f.entries, f.warnings, nil
}

// lockWait is how long an edit waits for another one.
const lockWait = 10 * time.Second

// edit replaces the file by what change makes of it, one process at a time.
func edit(ctx context.Context, path, like string, change func(*file) error) error {
	lock, err := lockOf(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("locking the users: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	f, err := read(ctx, path)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew:
		f = &file{lines: []string{"# Users of the relay: NAME:HASH, with argon2id or bcrypt."}}
	case err != nil:
		return err
	}
	if err := change(f); err != nil {
		return err
	}
	data := []byte(strings.Join(f.lines, "\n") + "\n")
	if len(data) > maxFile {
		return fmt.Errorf("nothing was changed, because %s would be larger than %d octets", path, maxFile)
	}
	if _, problems := parse(data); len(problems) > 0 { // no edit makes a file that a relay does not take
		return fmt.Errorf("nothing was changed, because after it %w", &Problems{path, problems})
	}
	if isNew {
		return ownfile.ReplaceFor(like, path, data)
	}
	return ownfile.ReplaceLike(path, data)
}

// lockOf waits for a lock.
func lockOf(ctx context.Context, name string) (*ownfile.Lock, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errors.New("another process has been changing them for 10 s"))
	defer cancel()
	for {
		lock, locked, err := ownfile.TryLock(name)
		if err != nil || locked {
			return lock, err
		}
		if err := backoff.Sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// minPassword is the length of a password that may be guessed at a guess a minute.
const minPassword = 8

// CheckPassword reports why a password cannot be one, as a predicate of it; nil when it
// can. Devices have a line for it, of printable ASCII.
func CheckPassword(password string) error {
	switch {
	case len(password) < minPassword:
		return fmt.Errorf("has fewer than %d characters", minPassword)
	case len(password) > maxPassword:
		return fmt.Errorf("has more than %d characters", maxPassword)
	case strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r >= 0x7f }):
		return errors.New("has other characters than printable ASCII: devices send them in different ways")
	case strings.TrimSpace(password) != password:
		return errors.New("begins or ends with a blank, which devices drop")
	}
	return nil
}

// What a generated password is made of: small letters and digits that are not taken for
// each other, and can be typed at a printer's panel. 16 of them have 79 bits.
const (
	alphabet        = "abcdefghjkmnpqrstuvwxyz23456789"
	generatedLength = 16
)

// Generate makes a password.
func Generate() string {
	password := make([]byte, generatedLength)
	for i := range password {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil { // rand.Reader does not fail
			panic(err)
		}
		password[i] = alphabet[n.Int64()]
	}
	return string(password)
}
