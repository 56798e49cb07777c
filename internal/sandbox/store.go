package sandbox

import (
	"bytes"
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
}

const (
	inMemory    = 64 << 10  // octets of one content kept in memory
	totalMemory = 128 << 20 // octets of all of them; beyond, files
	maxHeader   = 256 << 10 // octets of a header section that is read for policy
)

// store keeps messages. Its methods are safe for concurrent use.
type store struct {
	max int
	dir string

	mu       sync.Mutex // guards what follows
	next     int
	memory   int64
	messages []*stored
	closed   bool
}

type stored struct {
	Message
	body spool
}

// spool is content in memory or, when name is set, in a file.
type spool struct {
	data []byte
	name string
	size int64
}

func newStore(max int) (*store, error) {
	if max <= 0 {
		max = 100_000
	}
	dir, err := ownfile.MakeTempDir("smtpsend-sandbox-*")
	if err != nil {
		return nil, fmt.Errorf("making directory for mail: %w", err)
	}
	return &store{max: max, dir: dir}, nil
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages, s.closed = nil, true
	return os.RemoveAll(s.dir)
}

// take reads content to its end. With an error nothing is left of it.
func (s *store) take(r io.Reader) (spool, error) {
	var b bytes.Buffer
	n, err := io.CopyN(&b, r, inMemory+1)
	if errors.Is(err, io.EOF) && s.reserve(n) {
		return spool{data: slices.Clip(b.Bytes()), size: n}, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return spool{}, err
	}
	return s.takeFile(&b, r)
}

// reserve reports whether n more octets may stay in memory.
func (s *store) reserve(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory+n > totalMemory {
		return false
	}
	s.memory += n
	return true
}

func (s *store) takeFile(start *bytes.Buffer, rest io.Reader) (_ spool, err error) {
	f, err := ownfile.CreateTemp(s.dir, "content-*")
	if err != nil {
		return spool{}, fmt.Errorf("making file for content: %w", err)
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
		return spool{}, fmt.Errorf("writing content: %w", err)
	}
	return spool{name: filepath.Base(f.Name()), size: n}, nil
}

// drop forgets content.
func (s *store) drop(b spool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(b)
}

func (s *store) dropLocked(b spool) {
	if b.name == "" {
		s.memory -= b.size
		return
	}
	_ = os.Remove(filepath.Join(s.dir, b.name))
}

// add keeps a message and returns its id.
func (s *store) add(m Message, body spool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	m.ID, m.Size = strconv.Itoa(s.next), body.size
	s.messages = append(s.messages, &stored{m, body})
	if len(s.messages) > s.max {
		s.dropLocked(s.messages[0].body)
		s.messages[0] = nil
		s.messages = s.messages[1:]
	}
	return m.ID
}

func (s *store) list() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Message, len(s.messages))
	for i, m := range s.messages {
		out[i] = m.Message
	}
	return out
}

func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		s.dropLocked(m.body)
	}
	s.messages = nil
}

// open returns a message and its content, which the caller closes.
func (s *store) open(id string) (Message, io.ReadCloser, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.messages, func(m *stored) bool { return m.ID == id })
	if i < 0 {
		return Message{}, nil, false
	}
	content, err := s.openSpool(s.messages[i].body)
	if err != nil {
		return Message{}, nil, false
	}
	return s.messages[i].Message, content, true
}

func (s *store) openSpool(b spool) (io.ReadCloser, error) {
	if b.name == "" {
		return io.NopCloser(bytes.NewReader(b.data)), nil
	}
	return ownfile.Open(filepath.Join(s.dir, b.name))
}

func (s *store) raw(id string) ([]byte, bool) {
	_, content, ok := s.open(id)
	if !ok {
		return nil, false
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	return data, err == nil
}
