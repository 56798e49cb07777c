package tokencache

import "sync"

// Store keeps records. A Cache warns of an error of its Store, and continues as if there
// were no record. Implementations must be safe for concurrent use.
type Store interface {
	// Load returns the record of key, nil when there is none, and an error
	// when there is something that cannot be used.
	Load(key Key) (*Record, error)

	// Save replaces the record of key. A concurrent Load gives the old record
	// or the new one.
	Save(key Key, r *Record) error

	// TryLock takes the lock of key, which is not needed for Load and Save,
	// or returns false at once when someone else has it. A lock ends with
	// unlock, and with the process that holds it.
	TryLock(key Key) (unlock func(), locked bool, err error)
}

// MemoryStore is a Store for one process. Make it with NewMemoryStore.
type MemoryStore struct {
	mu      sync.Mutex
	records map[string]*Record // guarded by mu
	locked  map[string]bool    // guarded by mu
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{records: map[string]*Record{}, locked: map[string]bool{}}
}

// Load returns the record of key. Its error is nil.
func (s *MemoryStore) Load(key Key) (*Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[key.id], nil
}

// Save replaces the record of key. Its error is nil.
func (s *MemoryStore) Save(key Key, r *Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[key.id] = r
	return nil
}

// TryLock takes the lock of key. Its error is nil.
func (s *MemoryStore) TryLock(key Key) (unlock func(), locked bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked[key.id] {
		return nil, false, nil
	}
	s.locked[key.id] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.locked, key.id)
	}, true, nil
}
