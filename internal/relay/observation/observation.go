// Package observation gets to know the clients of a relay that learns: who was there, by
// which listener and with which TLS and user, and what it sent. It keeps that in a file,
// which another process can read at any moment, and makes of it a settings file that
// admits exactly these (Propose).
//
// What a client says is bounded in each respect, and the file in all: when there is too
// much, it is said that there is more. Passwords and content are never here.
package observation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// Limits of what is kept.
const (
	maxClients = 1000
	maxHellos  = 5        // and listeners, and versions of TLS with a cipher suite, of a client
	maxSenders = 50       // and authors, of a client
	maxDomains = 200      // of a client
	maxText    = 4 << 20  // octets of all texts
	maxFile    = 64 << 20 // octets; what JSON makes of the texts and of 1,000 clients is less
)

// Client is one that was admitted: a user, or an address that did not sign in.
type Client struct {
	User      string    `json:"user,omitempty"`
	Places    []string  `json:"places"` // its addresses, or "uid 33"
	Hellos    []string  `json:"hellos,omitempty"`
	Listeners []Visited `json:"listeners"`
	Senders   []string  `json:"senders,omitempty"` // "" is the null reverse-path
	Authors   []string  `json:"authors,omitempty"` // addresses in From
	Domains   []string  `json:"domains,omitempty"` // of recipients
	More      More      `json:"more,omitzero"`
	Learned   bool      `json:"learned,omitempty"` // no settings file admitted it the last time

	Sessions   int       `json:"sessions"`
	Messages   int       `json:"messages"` // that were taken
	Recipients int       `json:"recipients"`
	Octets     int64     `json:"octets"`
	Largest    int64     `json:"largest"`
	Quirks     []string  `json:"quirks,omitempty"` // as smtpserver names them
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
}

// More says which lists of a Client are not whole.
type More struct {
	Places  bool `json:"places,omitempty"`
	Senders bool `json:"senders,omitempty"` // or authors
	Domains bool `json:"domains,omitempty"`
}

// Visited is a listener that a client used.
type Visited struct {
	Address  string               `json:"address"` // as the settings file has it
	TLS      []string             `json:"tls,omitempty"`
	Oldest   relayfile.TLSVersion `json:"oldest,omitzero"`    // 0: always without
	InClear  bool                 `json:"in_clear,omitempty"` // it signed in without TLS
	SignedIn bool                 `json:"signed_in,omitempty"`
}

// Seen is all that was seen.
type Seen struct {
	Clients []Client `json:"clients"`
	Lost    int64    `json:"lost,omitempty"` // visits that were too many
}

// Observer keeps what is seen. Its methods are safe for concurrent use, and none but
// Close waits.
type Observer struct {
	path  string
	lock  *ownfile.Lock
	pause time.Duration
	warn  func(error)

	queue   chan event.Visit
	lost    atomic.Int64
	closing sync.Once
	closed  chan struct{}
	done    chan struct{}

	seen  Seen // of the goroutine, as are the next two
	index map[string]int
	left  int // octets of texts
}

// Options of an Observer.
type Options struct {
	Path string // of the file, in a directory that is this user's alone
	// Pause is how long a visit may wait for the disk: 1 s.
	Pause time.Duration
	// Warn is told when the file cannot be written. Nil: no one is.
	Warn func(error)
}

// waiting is how many visits wait for the Observer.
const waiting = 256

// Open goes on with what the file has. The error wraps ErrLearning while another Observer
// has it.
func Open(ctx context.Context, o Options) (*Observer, error) {
	held, err := lock(o.Path)
	if err != nil {
		return nil, fmt.Errorf("keeping what the relay observes: %w", err)
	}
	seen, err := Read(ctx, o.Path)
	if err != nil {
		return nil, errors.Join(err, held.Unlock())
	}
	out := &Observer{
		path: o.Path, lock: held, pause: cmp.Or(o.Pause, time.Second), warn: o.Warn, seen: *seen, index: map[string]int{}, left: maxText,
		queue: make(chan event.Visit, waiting), closed: make(chan struct{}), done: make(chan struct{}),
	}
	if out.warn == nil {
		out.warn = func(error) {}
	}
	for i := range seen.Clients {
		c := &seen.Clients[i]
		out.index[c.key()] = i
		for _, list := range [][]string{c.Places, c.Hellos, c.Senders, c.Authors, c.Domains} {
			for _, text := range list {
				out.left -= len(text)
			}
		}
	}
	go out.run()
	return out, nil
}

// Read returns what a file has, nothing when there is none.
func Read(ctx context.Context, path string) (*Seen, error) {
	f, err := ownfile.OpenPrivate(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Seen{}, nil
	case err != nil:
		return nil, fmt.Errorf("reading what the relay has observed: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	text, err := ownfile.ReadAll(ctx, path, maxFile)
	seen := &Seen{}
	if err == nil {
		err = json.Unmarshal(text, seen)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the relay has observed: %s: %w", path, err)
	}
	return seen, nil
}

// ErrLearning says that a relay learns, which would write again what was forgotten.
var ErrLearning = errors.New("a relay is in its learning mode")

// lock keeps a file for one process that writes it. The error may wrap ErrLearning.
func lock(path string) (*ownfile.Lock, error) {
	held, locked, err := ownfile.TryLock(path + ".lock")
	if err == nil && !locked {
		err = ErrLearning
	}
	return held, err
}

// Forget empties the file. The error wraps ErrLearning while an Observer has it.
func Forget(path string) error {
	held, err := lock(path)
	if err != nil {
		return fmt.Errorf("forgetting what the relay has observed: %w", err)
	}
	return errors.Join(ownfile.Replace(path, []byte("{}\n"), 0o600), held.Unlock())
}

// Visited looks at a session that is over.
func (o *Observer) Visited(v event.Visit) {
	if v.Client == "" {
		return // no one admitted it
	}
	select {
	case o.queue <- v:
	default:
		o.lost.Add(1)
	}
}

// Close writes what was seen.
func (o *Observer) Close() {
	o.closing.Do(func() { close(o.closed) })
	<-o.done
}

func (o *Observer) run() {
	defer close(o.done)
	var due <-chan time.Time
	for {
		select {
		case v := <-o.queue:
			o.add(&v)
			if due == nil {
				due = time.After(o.pause)
			}
		case <-due:
			due = nil
			o.save()
		case <-o.closed:
			for len(o.queue) > 0 {
				v := <-o.queue
				o.add(&v)
			}
			o.save()
			_ = o.lock.Unlock() // the end of the process does so, too
			return
		}
	}
}

func (o *Observer) save() {
	o.seen.Lost += o.lost.Swap(0)
	text, err := json.Marshal(&o.seen)
	if err == nil {
		err = ownfile.Replace(o.path, append(text, '\n'), 0o600)
	}
	if err != nil {
		o.warn(fmt.Errorf("keeping what the relay has observed: %w", err))
	}
}

// key is a user, or an address.
func (c *Client) key() string {
	if c.User != "" {
		return "user " + c.User
	}
	return strings.Join(c.Places, " ")
}

// add makes a visit a part of what was seen.
func (o *Observer) add(v *event.Visit) {
	made := Client{User: v.User, Places: []string{v.Place()}, First: v.Began}
	i, known := o.index[made.key()]
	if !known {
		if len(o.seen.Clients) >= maxClients || o.left <= 0 {
			o.seen.Lost++
			return
		}
		i = len(o.seen.Clients)
		o.index[made.key()] = i
		o.left -= len(made.key())
		o.seen.Clients = append(o.seen.Clients, made)
	}
	c := &o.seen.Clients[i]
	o.note(&c.Places, maxSenders, &c.More.Places, v.Place())
	if v.Hello != "" {
		o.note(&c.Hellos, maxHellos, new(bool), v.Hello)
	}
	o.note(&c.Senders, maxSenders, &c.More.Senders, v.Senders...)
	o.note(&c.Authors, maxSenders, &c.More.Senders, v.Authors...)
	o.note(&c.Domains, maxDomains, &c.More.Domains, v.Domains...)
	c.More.Senders = c.More.Senders || max(len(v.Senders), len(v.Authors)) >= event.MaxSeen
	c.More.Domains = c.More.Domains || len(v.Domains) >= event.MaxSeen
	c.visit(v)
	c.Learned = v.Learned
	c.Sessions++
	c.Messages += v.Messages
	c.Recipients += v.Recipients
	c.Octets += v.Octets
	c.Largest = max(c.Largest, v.Largest)
	o.note(&c.Quirks, maxSenders, new(bool), v.Quirks.Names()...)
	c.Last = v.Time
}

// visit notes the listener.
func (c *Client) visit(v *event.Visit) {
	i := slices.IndexFunc(c.Listeners, func(l Visited) bool { return l.Address == v.Listener })
	if i < 0 && len(c.Listeners) >= maxHellos {
		return
	}
	if i < 0 {
		i = len(c.Listeners)
		c.Listeners = append(c.Listeners, Visited{Address: v.Listener})
	}
	l := &c.Listeners[i]
	signs, isClear := v.User != "", v.TLS.IsZero()
	l.SignedIn = l.SignedIn || signs
	if signs {
		l.InClear = l.InClear || isClear
	}
	if v.TLS.IsZero() {
		return
	}
	if text := v.TLS.String(); !slices.Contains(l.TLS, text) && len(l.TLS) < maxHellos {
		l.TLS = append(l.TLS, text)
	}
	if version := relayfile.TLSVersion(v.TLS.Version); l.Oldest == 0 || version < l.Oldest {
		l.Oldest = version
	}
}

// note adds texts to a list, unless they are there, or it is full.
func (o *Observer) note(list *[]string, most int, more *bool, texts ...string) {
	for _, text := range texts {
		switch {
		case slices.Contains(*list, text):
		case len(*list) >= most || o.left < len(text):
			*more = true
		default:
			*list = append(*list, text)
			o.left -= len(text)
		}
	}
}

// Columns are the names of what Row has.
func Columns() []string {
	return []string{"ADDRESS", "USER", "NAME", "TLS", "MESSAGES", "LARGEST", "FROM", "TO", "QUIRKS"}
}

// Row is the client for people.
func (c *Client) Row() []string {
	var sent []string
	for _, text := range append(slices.Clone(c.Senders), c.Authors...) {
		if text = cmp.Or(text, "<>"); !slices.Contains(sent, text) {
			sent = append(sent, text)
		}
	}
	list := func(texts []string) string { return strings.Join(texts, " ") }
	return []string{
		list(c.Places), c.User, list(c.Hellos), c.security(), strconv.Itoa(c.Messages), strconv.FormatInt(c.Largest, 10), list(sent), list(c.Domains), list(c.Quirks),
	}
}

// security is with which TLS the client came.
func (c *Client) security() string {
	var all []string
	for _, l := range c.Listeners {
		for _, text := range l.TLS {
			version, _, _ := strings.Cut(strings.TrimPrefix(text, "TLS "), " ")
			if !slices.Contains(all, version) {
				all = append(all, version)
			}
		}
		if l.InClear {
			all = append(all, "password in clear")
		}
	}
	return cmp.Or(strings.Join(all, ", "), "none")
}
