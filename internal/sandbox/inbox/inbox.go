// Package inbox keeps the messages that a sandbox accepted, in memory or beyond
// 64 KiB in files, reads them for people and serves them as JSON and as pages:
//
//	GET    /                      the messages, as a page
//	GET    /messages/{id}         one, as a page
//	GET    /api/messages          all messages, the newest last
//	GET    /api/messages/{id}     one, with header, texts and attachments
//	GET    /api/messages/{id}/raw its octets as sent
//	DELETE /api/messages          empties the inbox
package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Message is what is kept of an accepted mail object.
type Message struct {
	ID        string    `json:"id"`
	Mailbox   string    `json:"mailbox"` // that authenticated
	From      string    `json:"from"`    // reverse-path
	To        []string  `json:"to"`      // forward-paths
	Subject   string    `json:"subject"` // decoded
	MessageID string    `json:"message_id"`
	Size      int64     `json:"size"` // octets of content
	Received  time.Time `json:"received"`

	TokenID string `json:"-"` // uti of the access token that the session signed in with
}

const (
	inMemory    = 64 << 10  // octets of one content kept in memory
	totalMemory = 128 << 20 // octets of all of them; beyond, files
)

// MaxHeader is up to how many octets a header section is read.
const MaxHeader = 256 << 10

// Inbox keeps messages. Its methods are safe for concurrent use.
type Inbox struct {
	max int
	dir string

	mu       sync.Mutex // guards what follows
	count    int        // of messages that were ever added
	memory   int64
	messages []*stored
	closed   bool
	changed  chan struct{} // closed, and replaced, when count or closed change
}

// ErrClosed is returned by Wait when the inbox is closed.
var ErrClosed = errors.New("inbox closed")

type stored struct {
	Message
	body Content
}

// Content is the content of a message, as Take returns it.
type Content struct {
	data []byte
	name string // of its file; "" for what is in memory
	size int64
}

// New returns an empty inbox that keeps max messages, the oldest of which go
// first; 0 is 100,000. Close is to be called.
func New(max int) (*Inbox, error) {
	if max <= 0 {
		max = 100_000
	}
	dir, err := ownfile.MakeTempDir("smtpsend-sandbox-*")
	if err != nil {
		return nil, fmt.Errorf("making directory for mail: %w", err)
	}
	return &Inbox{max: max, dir: dir, changed: make(chan struct{})}, nil
}

// Close forgets all mail, and removes the files.
func (box *Inbox) Close() error {
	box.mu.Lock()
	defer box.mu.Unlock()
	box.messages, box.closed = nil, true
	box.announce()
	return os.RemoveAll(box.dir)
}

// Take reads content to its end. With an error nothing is left of it.
func (box *Inbox) Take(r io.Reader) (Content, error) {
	var b bytes.Buffer
	n, err := io.CopyN(&b, r, inMemory+1)
	if errors.Is(err, io.EOF) && box.reserve(n) {
		return Content{data: slices.Clip(b.Bytes()), size: n}, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return Content{}, err
	}
	return box.takeFile(&b, r)
}

// reserve reports whether n more octets may stay in memory.
func (box *Inbox) reserve(n int64) bool {
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.memory+n > totalMemory {
		return false
	}
	box.memory += n
	return true
}

func (box *Inbox) takeFile(start *bytes.Buffer, rest io.Reader) (_ Content, err error) {
	f, err := ownfile.CreateTemp(box.dir, "content-*")
	if err != nil {
		return Content{}, fmt.Errorf("making file for content: %w", err)
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	n, err := io.Copy(f, io.MultiReader(start, rest))
	if err != nil {
		return Content{}, fmt.Errorf("writing content: %w", err)
	}
	return Content{name: filepath.Base(f.Name()), size: n}, nil
}

// Drop forgets content that Take returned.
func (box *Inbox) Drop(b Content) {
	box.mu.Lock()
	defer box.mu.Unlock()
	box.dropLocked(b)
}

func (box *Inbox) dropLocked(b Content) {
	if b.name == "" {
		box.memory -= b.size
		return
	}
	_ = os.Remove(filepath.Join(box.dir, b.name))
}

// Add keeps a message with content that Take returned, and returns its ID.
func (box *Inbox) Add(m Message, body Content) string {
	box.mu.Lock()
	defer box.mu.Unlock()
	box.count++
	box.announce()
	m.ID, m.Size = strconv.Itoa(box.count), body.size
	box.messages = append(box.messages, &stored{m, body})
	if len(box.messages) > box.max {
		box.dropLocked(box.messages[0].body)
		box.messages[0] = nil
		box.messages = box.messages[1:]
	}
	return m.ID
}

// announce wakes who waits. It needs mu.
func (box *Inbox) announce() {
	close(box.changed)
	box.changed = make(chan struct{})
}

// Wait returns as soon as n messages have been added since New, whether or not
// they are still kept. Its error says how many there were, and wraps ErrClosed or
// the cause of ctx.
func (box *Inbox) Wait(ctx context.Context, n int) error {
	for {
		box.mu.Lock()
		count, closed, changed := box.count, box.closed, box.changed
		box.mu.Unlock()
		switch {
		case count >= n:
			return nil
		case closed:
			return fmt.Errorf("waiting for message %d, with %d accepted: %w", n, count, ErrClosed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for message %d, with %d accepted: %w", n, count, context.Cause(ctx))
		}
	}
}

// Messages returns what is kept, the oldest first.
func (box *Inbox) Messages() []Message {
	box.mu.Lock()
	defer box.mu.Unlock()
	out := make([]Message, len(box.messages))
	for i, m := range box.messages {
		out[i] = m.Message
	}
	return out
}

// Clear forgets all mail.
func (box *Inbox) Clear() {
	box.mu.Lock()
	defer box.mu.Unlock()
	for _, m := range box.messages {
		box.dropLocked(m.body)
	}
	box.messages = nil
}

// open returns a message and its content, which the caller closes.
func (box *Inbox) open(id string) (Message, io.ReadCloser, bool) {
	box.mu.Lock()
	defer box.mu.Unlock()
	i := slices.IndexFunc(box.messages, func(m *stored) bool { return m.ID == id })
	if i < 0 {
		return Message{}, nil, false
	}
	content, err := box.openContent(box.messages[i].body)
	if err != nil {
		return Message{}, nil, false
	}
	return box.messages[i].Message, content, true
}

func (box *Inbox) openContent(b Content) (io.ReadCloser, error) {
	if b.name == "" {
		return io.NopCloser(bytes.NewReader(b.data)), nil
	}
	return ownfile.Open(filepath.Join(box.dir, b.name))
}

// Raw returns the octets of a message as the client sent them, dots removed;
// false when there is none of that ID.
func (box *Inbox) Raw(id string) ([]byte, bool) {
	_, content, ok := box.open(id)
	if !ok {
		return nil, false
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	return data, err == nil
}
