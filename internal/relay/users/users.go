// Package users keeps the names and passwords that devices sign in to the relay with:
// a file of lines NAME:HASH, and what wrong passwords cost.
//
// # The file
//
// A line is a name, a colon and the hash of a password: argon2id in PHC form, or bcrypt
// ($2a$, $2b$, $2y$). Lines that begin with # and blank lines are left as they are. The
// parameters of a hash are bounded, so that no file makes the relay use gigabytes or
// minutes. Names are compared without regard to case (of ASCII), because devices change
// it; two names that differ by case alone are a problem. A name has letters, digits and
// . _ - @ +; one of more than 16 characters is warned of, because devices cut it.
//
// # What a password costs
//
// One hash is computed at a time in the whole process, so that any number of clients
// takes the memory of one; the others wait. An unknown name costs what a known one does.
// A password that was right is remembered for a day, as a keyed hash, for the client that
// sent it; so a device that signs in each second costs nothing.
//
// # What a wrong password costs
//
// Clients are told apart by what the caller says, such as clientnet.Key: an IPv4 address
// or the /64 of an IPv6 address. Of one client, one password is looked at at a time.
//
//   - A wrong password is answered after 1, 2, 4, 5, 5 ... seconds.
//   - A client has 10 wrong passwords, and gets another each minute. The same wrong
//     password for the same name again takes none of them and no hash: a device with an
//     old password guesses nothing, and must not lock out others of the same address.
//   - Who has none left is told [ErrLater], after 2 seconds, and the password is not
//     looked at; but one that is remembered as right is let in.
//
// So who guesses has about one guess a minute, and a client that is right, behind the
// same address as one that guesses, gets in: at once when it was there within a day; else
// in its turn, for which clients of an address wait in order.
package users

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
)

// Errors of Check.
var (
	ErrWrong = errors.New("users: name or password is wrong")                     // 535: for good
	ErrLater = errors.New("users: too many wrong passwords, or too many at once") // 454: later
)

// Options say how users are kept. Path is required.
type Options struct {
	Path string
	// Warn is told of a file that has changed and cannot be used; the users from before
	// stay. It may be called concurrently. Nil: no one is told.
	Warn  func(error)
	Now   func() time.Time                           // nil: time.Now
	Sleep func(context.Context, time.Duration) error // nil: backoff.Sleep
}

// Users are those of a file, which is looked at for changes at most once a second while
// they are asked. The methods are safe for concurrent use.
type Users struct {
	opts     Options
	throttle *throttle
	slot     chan struct{} // held while a hash is computed

	mu     sync.Mutex // guards what follows
	file   *file
	stamp  stamp
	looked time.Time
	secret []byte // of the keyed hashes
	right  *recent
	wrong  *recent
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	info     fs.FileInfo
}

func (s stamp) same(o stamp) bool {
	return s.modified.Equal(o.modified) && s.size == o.size && s.info != nil && o.info != nil && os.SameFile(s.info, o.info)
}

// How many passwords are remembered, and for how long. A remembered one takes 32 octets.
const (
	maxRemembered = 4096
	rightTime     = 24 * time.Hour
	wrongTime     = time.Hour
	lookPause     = time.Second
)

// Open reads the users. The error wraps fs.ErrNotExist, is an *ownfile.Error for a file
// that others may write, or *Problems.
func Open(ctx context.Context, o Options) (*Users, error) {
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = backoff.Sleep
	}
	u := &Users{opts: o, throttle: newThrottle(o.Now), slot: make(chan struct{}, 1)}
	if err := u.Reload(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

// Reload reads the file again. After an error the users from before stay. What was
// remembered is forgotten.
func (u *Users) Reload(ctx context.Context) error {
	now := stampOf(u.opts.Path) // before it is read: a change in between is seen next time
	f, err := read(ctx, u.opts.Path)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stamp, u.looked = now, u.opts.Now()
	if err != nil {
		return err
	}
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // which does not fail
	u.file, u.secret = f, secret
	u.right, u.wrong = newRecent(rightTime), newRecent(wrongTime)
	return nil
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size(), info}
}

// refresh reads the file when it has changed.
func (u *Users) refresh(ctx context.Context) {
	u.mu.Lock()
	now := u.opts.Now()
	look := now.Sub(u.looked) >= lookPause || now.Before(u.looked)
	if look {
		u.looked = now
	}
	before := u.stamp
	u.mu.Unlock()
	if !look || stampOf(u.opts.Path).same(before) {
		return
	}
	if err := u.Reload(ctx); err != nil {
		u.opts.Warn(fmt.Errorf("reading the users again: %w", err))
	}
}

// Has reports a name, without regard to its case.
func (u *Users) Has(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.file.find(name) != nil
}

// Warnings are of lines that are used, and may not do what was meant.
func (u *Users) Warnings() []Problem {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.file.warnings)
}

// maxPassword is the length of a password in octets that is looked at.
const maxPassword = 256

// Check reports whether a password is right, and returns the name as the file has it. It
// waits as long as the package's rules say, at most until ctx ends, whose cause it then
// returns. Other errors are ErrWrong and ErrLater. client tells apart who asks.
func (u *Users) Check(ctx context.Context, client, name, password string) (string, error) {
	u.refresh(ctx)
	a := u.newAttempt(client, name, password)
	turn := u.throttle.enter(client)
	defer turn.leave()
	if turn.left() > 0 && a.isRemembered() { // who has none left waits for the answer to a guess
		return a.name(), nil
	}
	switch err := turn.take(ctx); {
	case errors.Is(err, ErrLater):
		return "", u.after(ctx, laterDelay, err)
	case err != nil:
		return "", err
	}
	err := u.look(ctx, turn, a)
	if errors.Is(err, ErrLater) {
		err = u.after(ctx, laterDelay, ErrLater)
	}
	spent := allowance - turn.left()
	turn.give()
	switch {
	case err == nil:
		return a.name(), nil
	case errors.Is(err, ErrWrong):
		return "", u.after(ctx, backoff.Doubling(wrongDelay, maxDelay, spent), ErrWrong)
	}
	return "", err
}

// look looks at a password, in the client's turn.
func (u *Users) look(ctx context.Context, turn *turn, a *attempt) error {
	switch {
	case a.isRemembered():
		return nil
	case a.wasWrong():
		return ErrWrong
	case turn.left() == 0:
		return ErrLater
	}
	right, err := u.verify(ctx, a)
	switch {
	case err != nil:
		return err
	case right:
		a.remember(a.right)
		return nil
	}
	a.remember(a.wrong)
	turn.spend()
	return ErrWrong
}

// verify computes a hash, when no other one is being computed.
func (u *Users) verify(ctx context.Context, a *attempt) (bool, error) {
	select {
	case u.slot <- struct{}{}:
		defer func() { <-u.slot }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	entry := a.entry
	if entry == nil {
		entry = a.file.standIn(a.nameKey)
	}
	fits := len(a.password) <= maxPassword && entry.hash.verify([]byte(a.password))
	return fits && a.entry != nil, nil
}

// after is err after a time.
func (u *Users) after(ctx context.Context, d time.Duration, err error) error {
	if cause := u.opts.Sleep(ctx, d); cause != nil {
		return cause
	}
	return err
}

// attempt is a name and a password of a client, with the state of the file that they are
// looked at with.
type attempt struct {
	users        *Users
	file         *file
	entry        *Entry // nil for an unknown name
	password     string
	key          [sha256.Size]byte // of client, name and password
	nameKey      [sha256.Size]byte // of the name
	right, wrong *recent
}

func (u *Users) newAttempt(client, name, password string) *attempt {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := &attempt{users: u, file: u.file, entry: u.file.find(name), password: password, right: u.right, wrong: u.wrong}
	name = strings.ToLower(name)
	a.key, a.nameKey = keyed(u.secret, client, name, password), keyed(u.secret, name)
	return a
}

// keyed is the hash of parts with a secret (RFC 2104).
func keyed(secret []byte, parts ...string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, secret)
	for _, part := range parts {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(part)))
		_, _ = mac.Write([]byte(part))
	}
	return [sha256.Size]byte(mac.Sum(nil))
}

func (a *attempt) name() string { return a.entry.Name }

func (a *attempt) isRemembered() bool { return a.entry != nil && a.in(a.right) }

func (a *attempt) wasWrong() bool { return a.in(a.wrong) }

func (a *attempt) in(r *recent) bool {
	a.users.mu.Lock()
	defer a.users.mu.Unlock()
	return r.has(a.key, a.users.opts.Now())
}

func (a *attempt) remember(r *recent) {
	a.users.mu.Lock()
	defer a.users.mu.Unlock()
	r.add(a.key, a.users.opts.Now())
}

// recent are keys of the last time, at most maxRemembered.
type recent struct {
	keep  time.Duration
	since map[[sha256.Size]byte]time.Time
	order [][sha256.Size]byte // in which they came
}

func newRecent(keep time.Duration) *recent {
	return &recent{keep: keep, since: map[[sha256.Size]byte]time.Time{}}
}

func (r *recent) has(key [sha256.Size]byte, now time.Time) bool {
	at, ok := r.since[key]
	age := now.Sub(at)
	return ok && age >= 0 && age < r.keep
}

func (r *recent) add(key [sha256.Size]byte, now time.Time) {
	if _, ok := r.since[key]; !ok {
		r.order = append(r.order, key)
	}
	r.since[key] = now
	if len(r.order) > maxRemembered {
		delete(r.since, r.order[0])
		r.order = slices.Delete(r.order, 0, 1)
	}
}
