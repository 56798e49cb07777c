// Package fault is what goes wrong in a sandbox, by name: a code of the
// catalogue of package diagnosis, a tenant of package tenant that looks healthy
// and is not, or a behaviour that no catalogue has. It says at which [Point] a
// fault acts, and counts when; to act is the part of who passes the point.
package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Fault makes one thing go wrong. Its name is the code of an entry of the
// catalogue that a server can cause, a tenant that looks healthy and is not
// (wrong-object-id and so on; these hold from the start and take no options),
// or one of the behaviours that no catalogue has, such as reply-lost.
type Fault struct {
	Name    string
	Stage   smtp.Stage    // "" is the entry's usual one
	Mailbox string        // only when this one signs in or has; "" is any
	After   int           // so many times nothing happens
	Times   int           // then so many times it happens; 0 is always
	Share   float64       // of those, this part, evenly spread; 0 is all
	Delay   time.Duration // before it happens; 0 is none, and 2 s for slow
}

// Error says what is wrong with a fault's text.
type Error struct{ Text, Reason string }

// Error names both.
func (e *Error) Error() string { return fmt.Sprintf("fault %q: %s", e.Text, e.Reason) }

// Parse reads "NAME[,stage=S][,mailbox=M][,after=N][,times=N][,share=F]
// [,delay=D]". Its error is a *Error.
func Parse(s string) (Fault, error) {
	words := strings.Split(s, ",")
	f := Fault{Name: strings.TrimSpace(words[0])}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(word), "=")
		if err := f.set(key, value); err != nil {
			return Fault{}, &Error{s, fmt.Sprintf("%s: %v", key, err)}
		}
	}
	if _, err := resolve(f); err != nil {
		return Fault{}, &Error{s, err.Error()}
	}
	return f, nil
}

func (f *Fault) set(key, value string) (err error) {
	switch key {
	case "stage":
		f.Stage = smtp.Stage(value)
	case "mailbox":
		f.Mailbox = value
	case "after":
		f.After, err = count(value)
	case "times":
		f.Times, err = count(value)
	case "share":
		if f.Share, err = strconv.ParseFloat(value, 64); err != nil || !(f.Share > 0 && f.Share <= 1) {
			return fmt.Errorf("%q is not above 0 and up to 1", value)
		}
	case "delay":
		if f.Delay, err = time.ParseDuration(value); err != nil || f.Delay < 0 {
			return fmt.Errorf("%q is not a duration such as 3s", value)
		}
	default:
		return fmt.Errorf("no such option; there are stage, mailbox, after, times, share, delay")
	}
	return err
}

func count(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a count", s)
	}
	return n, nil
}

// Names returns every name that a fault can have, sorted.
func Names() []string {
	var names []string
	for _, e := range diagnosis.Entries() {
		if _, err := resolve(Fault{Name: e.Code}); err == nil {
			names = append(names, e.Code)
		}
	}
	for _, s := range tenant.Setups() {
		names = append(names, s.Name)
	}
	for _, b := range behaviours() {
		names = append(names, b.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// armed is a fault at the point where it acts.
type armed struct {
	Fault
	point Point
	entry diagnosis.Entry // zero for a behaviour of our own
	seen  int             // times its point was passed
	spent int             // times it acted
	ready int             // times it could have acted, of which it takes Share
}

// pass counts one passing and reports whether the fault is to act now.
func (a *armed) pass() bool {
	a.seen++
	if a.seen <= a.After || (a.Times > 0 && a.spent >= a.Times) {
		return false
	}
	if a.Share == 0 {
		return true
	}
	a.ready++
	return a.shareOf(a.ready) > a.shareOf(a.ready-1)
}

// shareOf is how many of n are the fault's; 0.1 of 10 is 1, whatever binary
// fractions make of it.
func (a *armed) shareOf(n int) int { return int(float64(n)*a.Share + 1e-9) }

// Set holds the faults of a sandbox. Its methods are safe for concurrent use.
type Set struct {
	setups []tenant.Setup
	mu     sync.Mutex // guards what follows, and the counters of the armed
	armed  []*armed
}

// NewSet arms the faults of list, and those that a sandbox always has but for the
// names in without. Its error is an *Error.
func NewSet(list []Fault, without []string) (*Set, error) {
	for _, name := range without {
		if !slices.Contains(always(), name) {
			return nil, &Error{name, "is not there anyway"}
		}
	}
	for _, name := range always() {
		if !slices.Contains(without, name) && !slices.ContainsFunc(list, func(f Fault) bool { return f.Name == name }) {
			list = append(slices.Clip(list), Fault{Name: name})
		}
	}
	s := &Set{}
	for _, f := range list {
		a, err := resolve(f)
		if err != nil {
			return nil, &Error{f.Name, err.Error()}
		}
		if a == nil {
			i := slices.IndexFunc(tenant.Setups(), func(s tenant.Setup) bool { return s.Name == f.Name })
			s.setups = append(s.setups, tenant.Setups()[i])
			continue
		}
		s.armed = append(s.armed, a)
	}
	return s, nil
}

// Setups returns those of the faults that change the tenant.
func (s *Set) Setups() []tenant.Setup { return s.setups }

// Add arms f from now on: what it counts begins here. A fault that changes the
// tenant is refused, because it applies from the start. The error is an *Error.
func (s *Set) Add(f Fault) error {
	a, err := resolve(f)
	switch {
	case err != nil:
		return &Error{f.Name, err.Error()}
	case a == nil:
		return &Error{f.Name, "applies from the start, and cannot begin later"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = append(s.armed, a)
	return nil
}

// Clear disarms the faults, but for those that a sandbox always has and those
// that change the tenant.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = slices.DeleteFunc(s.armed, func(a *armed) bool { return !slices.Contains(always(), a.Name) })
}

// Take returns the first fault that acts at point for mailbox, with its entry of
// the catalogue (zero for a behaviour). Every fault of the point counts the
// passing.
func (s *Set) Take(point Point, mailbox string) (Fault, diagnosis.Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first *armed
	for _, a := range s.armed {
		if a.point != point || (a.Mailbox != "" && !strings.EqualFold(a.Mailbox, mailbox)) {
			continue
		}
		if a.pass() && first == nil {
			first = a
			a.spent++
		}
	}
	if first == nil {
		return Fault{}, diagnosis.Entry{}, false
	}
	return first.Fault, first.entry, true
}

// Silence is how long a server that never replies holds the connection: longer
// than any client waits (RFC 5321 4.5.3.2.6), and not for ever.
const Silence = 20 * time.Minute

// errStopped is returned by Wait.
var errStopped = errors.New("sandbox: stopped")

// Wait waits for d, and returns an error when ctx ends before.
func Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return errStopped
	case <-t.C:
		return nil
	}
}
