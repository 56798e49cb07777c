//go:build unix

package tokencache_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/tokencache"
)

// A pipe in the place of a lock must not be waited for, nor a link be followed.
func TestWhatIsNoLockFileDoesNotHoldAnybodyUp(t *testing.T) {
	for name, put := range map[string]func(string) error{
		"pipe":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"link":      func(name string) error { return os.Symlink(filepath.Join(filepath.Dir(name), "target"), name) },
		"directory": func(name string) error { return os.Mkdir(name, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			store, key := stored(t)
			must(t, put(filepath.Join(filepath.Dir(store.Path(key)), key.ID()+".lock")))
			must(t, os.Remove(store.Path(key)))
			cache := tokencache.New(&source{life: time.Hour}, tokencache.Options{Store: store, Key: key})
			if token, err := cache.Token(t.Context()); err != nil || token.AccessToken != "tok-1" {
				t.Errorf("got %v, %v", token, err)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(store.Path(key)), "target")); err == nil {
				t.Error("the link was followed")
			}
		})
	}
}
