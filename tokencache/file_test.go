package tokencache_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/tokencache"
)

// stored returns a store with a token in it.
func stored(t testing.TB) (*tokencache.FileStore, tokencache.Key) {
	t.Helper()
	store, key := tokencache.NewFileStore(filepath.Join(t.TempDir(), "cache")), newKey(t, "secret")
	err := store.Save(key, &tokencache.Record{
		Token:    &oauth2.Token{AccessToken: "tok-stored", TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)},
		Obtained: time.Now(),
		Refusal:  &tokencache.Refused{Text: "refusal-text", At: time.Now().Add(-time.Minute), Detail: []byte("detail")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return store, key
}

func TestFileHoldsNothingReadable(t *testing.T) {
	store, key := stored(t)
	data, err := os.ReadFile(store.Path(key))
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"tok-stored", "Bearer", "refusal-text", "detail", "secret", "contoso"} {
		if bytes.Contains(data, []byte(leak)) || strings.Contains(store.Path(key), leak) {
			t.Errorf("file %s holds %q", store.Path(key), leak)
		}
	}
	if err := store.Save(key, &tokencache.Record{}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(store.Path(key)))
	if err != nil || len(entries) != 1 {
		t.Errorf("directory holds %v, %v, want one file", entries, err)
	}
}

func TestFileAndDirectoryAreOursAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	store, key := stored(t)
	unlock, _, err := store.TryLock(key)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	dir := filepath.Dir(store.Path(key))
	for name, want := range map[string]fs.FileMode{
		dir: 0o700, store.Path(key): 0o600, filepath.Join(dir, key.ID()+".lock"): 0o600,
	} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %v", name, info.Mode(), err, want)
		}
	}
}

// TestWhatCannotBeUsedIsAbsent spoils the file or its surroundings: a cache on
// it warns once and asks its source, and the next one finds what was saved.
func TestWhatCannotBeUsedIsAbsent(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil   func(t *testing.T, path string)
		warning string // part of it; "" for none
		unixly  bool
	}{
		"removed":   {func(t *testing.T, path string) { must(t, os.Remove(path)) }, "", false},
		"empty":     {func(t *testing.T, path string) { rewrite(t, path, func([]byte) []byte { return nil }) }, "not a record of this package", false},
		"truncated": {func(t *testing.T, path string) { rewrite(t, path, func(b []byte) []byte { return b[:len(b)-1] }) }, "damaged, or encrypted with another credential", false},
		"header only": {func(t *testing.T, path string) {
			rewrite(t, path, func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] })
		}, "damaged", false},
		"bit flipped": {func(t *testing.T, path string) {
			rewrite(t, path, func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b })
		}, "damaged", false},
		"newer version": {func(t *testing.T, path string) {
			rewrite(t, path, func(b []byte) []byte { return bytes.Replace(b, []byte("tokencache 1\n"), []byte("tokencache 2\n"), 1) })
		}, "record of another version of this package", false},
		"foreign": {func(t *testing.T, path string) { rewrite(t, path, func([]byte) []byte { return []byte("%PDF-1.7") }) }, "not a record of this package", false},
		"too long": {func(t *testing.T, path string) {
			rewrite(t, path, func([]byte) []byte { return make([]byte, 300<<10) })
		}, "is longer than 262144 octets", false},
		"of another credential": {func(t *testing.T, path string) {
			store, key := stored(t)
			other, err := os.ReadFile(store.Path(key))
			must(t, err)
			other[len(other)-1]++ // as good as another key
			rewrite(t, path, func([]byte) []byte { return other })
		}, "damaged", false},
		"readable by others": {func(t *testing.T, path string) { must(t, os.Chmod(path, 0o640)) }, "has mode 0640, which gives others access", true},
		"a link": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".elsewhere"))
			must(t, os.Symlink(path+".elsewhere", path))
		}, "is a link", true},
		"a directory": {func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) }, "is a directory", true},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.unixly && runtime.GOOS == "windows" {
				t.Skip("as on Unix only")
			}
			store, key := stored(t)
			tt.spoil(t, store.Path(key))
			var warnings []error
			src := &source{life: time.Hour}
			options := tokencache.Options{Store: store, Key: key, Warn: func(err error) { warnings = append(warnings, err) }}
			if e := get(t, tokencache.New(src, options)); e.Token.AccessToken != "tok-1" {
				t.Errorf("got %s", e.Token.AccessToken)
			}
			switch {
			case tt.warning == "" && len(warnings) > 0:
				t.Errorf("warnings = %v, want none", warnings)
			case tt.warning != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].Error(), tt.warning)):
				t.Errorf("warnings = %v, want one with %q", warnings, tt.warning)
			}
			if name == "a directory" {
				return // in the way for good
			}
			if e := get(t, tokencache.New(src, options)); e.Token.AccessToken != "tok-1" || len(warnings) > 1 {
				t.Errorf("next run: %s, warnings %v", e.Token.AccessToken, warnings)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, change(data), 0o600))
}

func TestCacheThatCannotBeWrittenCostsAWarning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	shared := t.TempDir()
	must(t, os.Chmod(shared, 0o777))
	for name, tt := range map[string]struct {
		dir     string
		key     tokencache.Key
		warning string
	}{
		"under a file":                   {filepath.Join(file, "cache"), newKey(t, "secret"), "not a directory"},
		"directory that others write to": {shared, newKey(t, "secret"), "has mode 0777, which gives others access"},
		"no key":                         {t.TempDir(), tokencache.Key{}, "key is the zero Key"},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && name != "no key" {
				t.Skip("as on Unix only")
			}
			var warnings []error
			src := &source{life: time.Hour}
			c := tokencache.New(src, tokencache.Options{
				Store: tokencache.NewFileStore(tt.dir), Key: tt.key, Warn: func(err error) { warnings = append(warnings, err) },
			})
			for range 2 {
				if e := get(t, c); e.Token.AccessToken != "tok-1" {
					t.Errorf("got %s", e.Token.AccessToken)
				}
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0].Error(), tt.warning) {
				t.Errorf("warnings = %v, want one with %q", warnings, tt.warning)
			}
		})
	}
	if entries, err := os.ReadDir(shared); err != nil || len(entries) != 0 {
		t.Errorf("written beside others: %v, %v", entries, err)
	}
}

func TestFileOfSomeoneElseIsNotUsed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	for _, what := range []string{"file", "directory"} {
		store, key := stored(t)
		name := store.Path(key)
		if what == "directory" {
			name = filepath.Dir(name)
		}
		must(t, os.Lchown(name, 12345, -1))
		if r, err := store.Load(key); r != nil || err == nil || !strings.Contains(err.Error(), "belongs to user 12345, not to 0") {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}

func TestWarmReadTakesNoLock(t *testing.T) {
	store, key := stored(t)
	unlock, locked, err := store.TryLock(key)
	if err != nil || !locked {
		t.Fatalf("TryLock = %v, %v", locked, err)
	}
	defer unlock()
	src := &source{life: time.Hour}
	if e := get(t, tokencache.New(src, tokencache.Options{Store: store, Key: key})); e.Token.AccessToken != "tok-stored" || src.count() != 0 {
		t.Errorf("got %s after %d requests", e.Token.AccessToken, src.count())
	}
}

func TestSaveSweepsWhatNobodyReads(t *testing.T) {
	store, key := stored(t)
	dir := filepath.Dir(store.Path(key))
	id := strings.Repeat("0a", 16)
	for name, age := range map[string]time.Duration{
		id + ".token": 8 * 24 * time.Hour, id + ".lock": 999 * time.Hour, "mine.token": 999 * time.Hour,
		"." + id + ".token.tmp123": 2 * time.Hour, "." + id + ".token.tmp456": 0, strings.Repeat("0b", 16) + ".token": time.Hour,
	} {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, nil, 0o600))
		at := time.Now().Add(-age)
		must(t, os.Chtimes(path, at, at))
	}
	must(t, store.Save(key, &tokencache.Record{}))
	entries, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{"." + id + ".token.tmp456", id + ".lock", strings.Repeat("0b", 16) + ".token", "mine.token", key.ID() + ".token"}
	for _, name := range want {
		if !strings.Contains(strings.Join(got, " "), name) {
			t.Errorf("%s was removed", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

func TestZeroKeyHasNoFile(t *testing.T) {
	store := tokencache.NewFileStore(t.TempDir())
	_, loadErr := store.Load(tokencache.Key{})
	_, _, lockErr := store.TryLock(tokencache.Key{})
	for _, err := range []error{loadErr, lockErr, store.Save(tokencache.Key{}, &tokencache.Record{})} {
		if err == nil || err.Error() != "tokencache: key is the zero Key" {
			t.Errorf("err = %v", err)
		}
	}
}

// version1 is the file of a record that was saved under newKey(t, "secret") by
// the first version of the package.
func version1(t testing.TB) []byte {
	t.Helper()
	sealed, err := os.ReadFile(filepath.Join("testdata", "version-1.token"))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestFileOfTheFirstVersionIsRead(t *testing.T) {
	store, key := stored(t)
	must(t, os.WriteFile(store.Path(key), version1(t), 0o600))
	r, err := store.Load(key)
	must(t, err)
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	if r.Token.AccessToken != "tok-stored" || r.Token.TokenType != "Bearer" || !r.Token.Expiry.Equal(at.Add(time.Hour)) || !r.Obtained.Equal(at) {
		t.Errorf("token %+v of %v", r.Token, r.Obtained)
	}
	if r.Refusal.Text != "refusal-text" || !r.Refusal.At.Equal(at.Add(time.Minute)) || string(r.Refusal.Detail) != `"detail"` {
		t.Errorf("refusal %+v", r.Refusal)
	}
}

// FuzzFile holds that no change to a file, of whatever size, gives a record:
// it is an error. It also holds that no error tells what was stored.
func FuzzFile(f *testing.F) {
	store, key := stored(f)
	path, sealed := store.Path(key), version1(f)
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte("tokencache 1\n"))
	f.Add([]byte("tokencache 2\n{}"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := store.Load(key)
		if bytes.Equal(data, sealed) {
			if err != nil || r.Token.AccessToken != "tok-stored" {
				t.Fatalf("unchanged: %+v, %v", r, err)
			}
			return
		}
		if r != nil || err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "tok-stored") {
			t.Fatalf("record %+v, %v of %q", r, err, data)
		}
	})
}

func BenchmarkWarmRead(b *testing.B) {
	store, key := stored(b)
	for b.Loop() {
		c := tokencache.New(&source{}, tokencache.Options{Store: store, Key: key})
		if _, err := c.Token(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
