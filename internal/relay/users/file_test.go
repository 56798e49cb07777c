package users_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/users"
)

const sum = "$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestEveryProblemHasItsLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	text := strings.Join([]string{
		"# a comment",
		"",
		"good:$argon2id$v=19$m=19456,t=2,p=1" + sum,
		"plain:hunter2",
		"GOOD:$argon2id$v=19$m=19456,t=2,p=1" + sum,
		"no hash",
		"empty:",
		"big:$argon2id$v=19$m=4194304,t=2,p=1" + sum,
		"long:$argon2id$v=19$m=65536,t=16,p=1" + sum,
		"lanes:$argon2id$v=19$m=19456,t=1,p=255" + sum,
		"thin:$argon2id$v=19$m=8,t=1,p=8" + sum,
		"none:$argon2id$v=19$m=8,t=0,p=1" + sum,
		"order:$argon2id$v=19$t=2,m=8,p=1" + sum,
		"salt:$argon2id$v=19$m=8,t=1,p=1$c2E$AAAAAAAAAAAAAAAAAAAAAA",
		"sum:$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA",
		"version:$argon2id$v=16$m=8,t=1,p=1" + sum,
		"crypt:$6$abc$def",
		"slow:$2y$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde",
		"cut:$2y$10$abc",
		"blank :x",
		strings.Repeat("n", 65) + ":x",
	}, "\n")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := users.Open(t.Context(), users.Options{Path: path})
	var problems *users.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"line 4: the hash of plain is not a hash: a password is never written here",
		"line 5: the name GOOD is in line 3 too; case does not matter",
		"line 6: is not NAME:HASH",
		"line 7: the hash of empty is missing",
		"line 8: the hash of big has no m from 8 to 65536",
		"line 9: the hash of long asks for m times t of 1048576, more than 262144",
		"line 10: the hash of lanes has no p from 1 to 8",
		"line 11: the hash of thin has no m of at least 8 times p",
		"line 12: the hash of none has no t from 1 to 16",
		"line 13: the hash of order has no m from 8 to 65536",
		"line 14: the hash of salt has no salt of 8 to 64 octets",
		"line 15: the hash of sum has no hash of 16 to 64 octets",
		"line 16: the hash of version is not in the form $argon2id$v=19$m=...,t=...,p=...$SALT$HASH",
		"line 17: the hash of crypt is of another kind than argon2id and bcrypt",
		"line 18: the hash of slow has cost 31, more than 14",
		"line 19: the hash of cut is not a whole bcrypt hash, which has 60 characters",
		"line 20: the name has other characters than letters, digits and . _ - @ +",
		"line 21: the name has more than 64 characters",
	} {
		if !strings.Contains(err.Error()+"\n", want+"\n") {
			t.Errorf("%q is missing", want)
		}
	}
	if len(problems.All) != 18 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%d problems:\n%v", len(problems.All), err)
	}
}

func TestBcryptOfOtherPrograms(t *testing.T) {
	made, err := bcrypt.GenerateFromPassword([]byte("secret99"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"$2a$", "$2b$", "$2y$"} {
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, []byte("nas:"+version+string(made[4:])+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := users.Open(t.Context(), users.Options{Path: path, Sleep: (&world{}).Sleep})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Check(t.Context(), "a", "nas", "secret99"); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if _, err := u.Check(t.Context(), "a", "nas", "secret98"); !errors.Is(err, users.ErrWrong) {
			t.Errorf("%s: %v", version, err)
		}
		if w := u.Warnings(); len(w) != 1 || !strings.Contains(w[0].String(), "line 1: the hash of nas has a cost below 10") {
			t.Errorf("warnings %v", w)
		}
	}
}

func TestFileIsEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	ctx := t.Context()
	if err := users.Remove(ctx, path, "a"); !errors.Is(err, users.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"scanner", "a.name@contoso.example"} {
		if replaced, err := users.Add(ctx, path, "", name, users.Generate()); err != nil || replaced {
			t.Fatal(replaced, err)
		}
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if replaced, err := users.Add(ctx, path, "", "SCANNER", users.Generate()); err != nil || !replaced {
		t.Fatal(replaced, err)
	}
	entries, warnings, err := users.List(ctx, path)
	if err != nil || len(entries) != 2 || entries[0].Name != "SCANNER" || entries[0].Line != 2 || entries[0].Kind != "argon2id" {
		t.Fatalf("%+v, %v", entries, err)
	}
	if len(warnings) != 1 || warnings[0].String() != "line 3: the name a.name@contoso.example has more than 16 characters: many devices cut it" {
		t.Errorf("%v", warnings)
	}
	if err := users.Remove(ctx, path, "scanner"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Count(string(data), "\n") != 2 || !strings.HasPrefix(string(data), "# Users of the relay") || !strings.Contains(string(data), "\na.name@contoso.example:$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%s, %v", data, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	for password, want := range map[string]string{"short": "fewer than 8", "pässword": "printable ASCII", " password": "blank", strings.Repeat("x", 300): "more than 256", "pass\nword": "printable ASCII"} {
		if _, err := users.Add(ctx, path, "", "x", password); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, err := users.Add(ctx, path, "", "x:y", "password"); err == nil {
		t.Error("a name with a colon was taken")
	}
}

// An edit does not make a file that the next relay would not start with.
func TestFullFileTakesNoOneMore(t *testing.T) {
	long := strings.Repeat("# "+strings.Repeat("x", 97)+"\n", 1<<20/100)
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "user%d:$argon2id$v=19$m=19456,t=2,p=1%s\n", i, sum)
	}
	for text, want := range map[string]string{long: "larger than 1048576 octets", many.String(): "more than 5000 names"} {
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := users.Add(t.Context(), path, "", "another", "password"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, _, err := users.List(t.Context(), path); err != nil {
			t.Error(err)
		}
	}
}

func TestEditsAtTheSameTimeAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := users.Add(t.Context(), path, "", "user"+string(rune('a'+i)), "password"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if entries, _, err := users.List(t.Context(), path); err != nil || len(entries) != 8 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestFileOfOthersIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "users")
	if _, err := users.Open(t.Context(), users.Options{Path: path}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := users.Add(t.Context(), path, "", "a", "password"); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o666: true, 0o620: true, 0o644: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		u, err := users.Open(t.Context(), users.Options{Path: path})
		var unsafe *ownfile.Error
		switch {
		case refused && !errors.As(err, &unsafe):
			t.Errorf("mode %o: %v", mode, err)
		case !refused && err != nil:
			t.Errorf("mode %o: %v", mode, err)
		case !refused && len(u.Warnings()) != 1:
			t.Errorf("mode %o: warnings %v", mode, u.Warnings())
		}
	}
}

func TestGeneratedPasswordsCanBeTyped(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := users.Generate()
		if len(p) != 16 || strings.ContainsAny(p, "0o1liIO") || users.CheckPassword(p) != nil || seen[p] {
			t.Errorf("%q", p)
		}
		seen[p] = true
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("a:$argon2id$v=19$m=19456,t=2,p=1" + sum + "\nb:$2y$10$abc\n#\n:\n"))
	f.Add([]byte("\ufeffa:x"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "users")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		entries, _, err := users.List(t.Context(), path)
		var problems *users.Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("got %v", err)
		}
		for _, e := range entries {
			if users.CheckName(e.Name) != nil || (e.Kind != "argon2id" && e.Kind != "bcrypt") {
				t.Errorf("%+v", e)
			}
		}
	})
}
