package azurehost

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// AgentKeys is where Azure Arc's agent keeps its keys on Linux, the only place from which
// clients read one.
const AgentKeys = "/var/opt/azcmagent/tokens"

// maxKeys is how many challenges may be open.
const maxKeys = 100

// arc writes the keys of challenges: who can read one runs on this host, as a user who
// may.
type arc struct {
	wanted string // "" = AgentKeys, or a directory of its own

	mu   sync.Mutex
	dir  string            // "" until the first challenge
	made []string          // directories to remove, the innermost first
	keys map[string]string // of open challenges, by file
}

func newArc(dir string) *arc { return &arc{wanted: dir, keys: map[string]string{}} }

// open makes the directory, at the first call.
func (a *arc) open() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.openLocked()
}

func (a *arc) openLocked() (string, error) {
	if a.dir != "" {
		return a.dir, nil
	}
	wanted := a.wanted
	if wanted == "" {
		wanted = AgentKeys
	}
	err := a.makeAll(wanted)
	if err == nil {
		err = writable(wanted)
	}
	if err == nil {
		a.dir = wanted
		return a.dir, nil
	}
	if a.wanted != "" {
		return "", fmt.Errorf("making the directory of Azure Arc's keys: %w", err)
	}
	dir, err := ownfile.MakeTempDir("azcmagent")
	if err != nil {
		return "", fmt.Errorf("making the directory of Azure Arc's keys: %w", err)
	}
	a.dir, a.made = dir, append([]string{dir}, a.made...)
	return dir, nil
}

// makeAll makes a directory and those above it, and keeps which.
func (a *arc) makeAll(dir string) error {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, d)
	}
	if len(missing) == 0 {
		return nil
	}
	err := ownfile.MakeDir(dir)
	if err == nil {
		a.made = append(missing, a.made...)
	}
	return err
}

// writable tries to write a file.
func writable(dir string) error {
	name := filepath.Join(dir, uuid.NewString()+".key")
	if err := ownfile.Replace(name, nil, 0o600); err != nil {
		return err
	}
	return os.Remove(name)
}

// challenge writes a new key and returns its file.
func (a *arc) challenge() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dir, err := a.openLocked()
	if err != nil {
		return "", err
	}
	if len(a.keys) >= maxKeys {
		return "", errors.New("too many open challenges")
	}
	name, key := filepath.Join(dir, uuid.NewString()+".key"), rand.Text()
	if err := ownfile.Replace(name, []byte(key), 0o600); err != nil {
		return "", err
	}
	a.keys[name] = key
	return name, nil
}

// answered reports the key of an open challenge, and ends that.
func (a *arc) answered(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, want := range a.keys {
		if subtle.ConstantTimeCompare([]byte(key), []byte(want)) == 1 {
			delete(a.keys, name)
			_ = os.Remove(name)
			return true
		}
	}
	return false
}

func (a *arc) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all error
	for name := range a.keys {
		all = errors.Join(all, os.Remove(name))
	}
	for _, dir := range a.made {
		_ = os.Remove(dir) // others may have put something there
	}
	a.keys, a.made, a.dir = map[string]string{}, nil, ""
	return all
}

// azureArc is the agent of Azure Arc ("Authenticate against Azure resources with Azure
// Arc-enabled servers").
func (h *Host) azureArc(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	key, hasKey := strings.CutPrefix(r.Header.Get("Authorization"), "Basic ")
	switch {
	case h.troubled(w):
		return
	case !strings.EqualFold(r.Header.Get("Metadata"), "true"):
		refuse(w, http.StatusBadRequest, "invalid_request", "Required metadata header not specified")
		return
	case q.Get("api-version") == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "Required query variable 'api-version' is missing")
		return
	case hasKey && h.arc.answered(key):
		h.grant(w, q, "Identity not found")
		return
	}
	file, err := h.arc.challenge()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "unknown", "The key of the challenge cannot be written.")
		return
	}
	w.Header().Set("Www-Authenticate", "Basic realm="+file)
	refuse(w, http.StatusUnauthorized, "unauthorized_client", "Missing or invalid Basic Authorization header")
}
