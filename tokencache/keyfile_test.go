package tokencache_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/tokencache"
)

func TestKeyFileIsMadeOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a", "key")
	keys := make([][]byte, 20)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = tokencache.KeyFile(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if len(key) != 32 || !bytes.Equal(key, keys[0]) || bytes.Equal(key, make([]byte, 32)) {
			t.Fatalf("keys differ or are no keys: %x, %x", key, keys[0])
		}
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestKeyFileThatIsNoneIsNotReplaced(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(name, []byte("short"), 0o600))
	if _, err := tokencache.KeyFile(t.Context(), name); err == nil || !strings.HasSuffix(err.Error(), "has 5 octets, not 32") {
		t.Errorf("short: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	must(t, os.WriteFile(name, make([]byte, 32), 0o600))
	must(t, os.Chmod(name, 0o644))
	if _, err := tokencache.KeyFile(t.Context(), name); err == nil || !strings.Contains(err.Error(), "has mode 0644, which gives others access") {
		t.Errorf("readable by others: %v", err)
	}
}
