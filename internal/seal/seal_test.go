package seal_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/seal"
	"github.com/smtpsend/smtpsend/internal/secret"
)

const plain = "Fc38Q~not-a-real-secret.of~anyone_at-all"

func TestSealedValueOpensAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "identity.txt")
	sealed, err := seal.Seal(file, secret.New(plain))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(sealed, "sealed:") || strings.ContainsAny(sealed, " \t\r\n\"'$=") {
		t.Errorf("sealed value does not fit bare into an env file: %q", sealed)
	}
	if strings.Contains(sealed, "Q~") {
		t.Errorf("sealed value shows the secret: %q", sealed)
	}
	got, err := seal.Open(file, sealed)
	if err != nil || got.Reveal() != plain {
		t.Errorf("Open = %q, %v; want %q", got.Reveal(), err, plain)
	}
	if got, err := seal.Open(file, sealed+"=="); err != nil || got.Reveal() != plain {
		t.Errorf("Open with padding = %q, %v; want %q", got.Reveal(), err, plain)
	}
	again, err := seal.Seal(file, secret.New(plain))
	if err != nil || again == sealed {
		t.Errorf("sealing twice gave the same line (%v)", err)
	}
}

func TestIdentityThatWindowsHasRewrittenOpensStill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "identity.txt")
	sealed, err := seal.Seal(file, secret.New(plain))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.ReplaceAll(string(text), "\n", "\r\n")
	utf16 := "\xff\xfe"
	for _, octet := range []byte(lines) {
		utf16 += string([]byte{octet, 0})
	}
	for _, form := range []string{"\ufeff" + lines, utf16} {
		if err := os.WriteFile(file, []byte(form), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := seal.Open(file, sealed); err != nil || got.Reveal() != plain {
			t.Errorf("%.20q: %v", form, err)
		}
	}
}

func TestIdentityFileIsForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits")
	}
	file := filepath.Join(t.TempDir(), "conf", "identity.txt")
	if _, err := seal.Seal(file, secret.New(plain)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o; want %o", name, got, want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("directory holds %v, %v; want the identity alone", left, err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt")
	sealed, err := seal.Seal(file, secret.New(plain))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Seal(other, secret.New("x")); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.txt")
	if err := os.WriteFile(broken, key[:len(key)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	exposed := filepath.Join(dir, "exposed.txt")
	if err := os.WriteFile(exposed, key, 0o604); err != nil {
		t.Fatal(err)
	}
	middle := len(sealed) / 2
	flipped := "A"
	if sealed[middle] == 'A' {
		flipped = "B"
	}
	for _, tt := range []struct {
		name, file, sealed string
		want               error
	}{
		{"another identity", other, sealed, seal.ErrWrongIdentity},
		{"no identity file", filepath.Join(dir, "none.txt"), sealed, seal.ErrNoIdentity},
		{"cut identity", broken, sealed, seal.ErrBadIdentity},
		{"identity that others may read", exposed, sealed, seal.ErrExposedIdentity},
		{"cut value", file, sealed[:middle], seal.ErrDamaged},
		{"value with a changed character", file, sealed[:middle] + flipped + sealed[middle+1:], nil},
		{"value with another last block", file, sealed[:len(sealed)-4] + "AAAA", seal.ErrDamaged},
		{"no base64", file, "sealed:***", seal.ErrDamaged},
		{"empty value", file, "sealed:", seal.ErrDamaged},
		{"no prefix", file, plain, seal.ErrDamaged},
		{"huge value", file, "sealed:" + strings.Repeat("A", 200<<10), seal.ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == seal.ErrExposedIdentity && runtime.GOOS == "windows" { //nolint:errorlint // a table's value
				t.Skip("no mode bits")
			}
			got, err := seal.Open(tt.file, tt.sealed)
			var e *seal.Error
			if tt.want == nil {
				tt.want = seal.ErrDamaged
				if errors.Is(err, seal.ErrWrongIdentity) { // the change hit the part that names the recipient
					tt.want = seal.ErrWrongIdentity
				}
			}
			if !errors.Is(err, tt.want) || !errors.As(err, &e) || e.Hint == "" {
				t.Fatalf("Open = %v; want %v with a hint", err, tt.want)
			}
			if !got.IsZero() {
				t.Error("Open returned a secret beside its error")
			}
			for _, leak := range []string{plain, strings.TrimSpace(string(key[strings.LastIndex(string(key), "AGE-SECRET"):])), tt.sealed[len(tt.sealed)/2:]} {
				if len(leak) > 4 && strings.Contains(err.Error(), leak) {
					t.Errorf("error holds %q: %v", leak, err)
				}
			}
		})
	}
}

func TestSealRefusesNothingAndTooMuch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "identity.txt")
	for name, s := range map[string]secret.String{
		"there is no secret to seal": {},
		"longer than 65536 octets":   secret.New(strings.Repeat("x", seal.MaxSecret+1)),
	} {
		if _, err := seal.Seal(file, s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Seal = %v; want %q", err, name)
		}
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("an identity was made for nothing: %v", err)
	}
	sealed, err := seal.Seal(file, secret.New(strings.Repeat("x", seal.MaxSecret)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := seal.Open(file, sealed); err != nil || len(got.Reveal()) != seal.MaxSecret {
		t.Errorf("the largest secret came back with %d octets, %v", len(got.Reveal()), err)
	}
}

// All who seal at once for the first time must end with one identity, or the
// values of all but one could never be opened.
func TestConcurrentFirstUseMakesOneIdentity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "identity.txt")
	sealed := make([]string, 16)
	var wg sync.WaitGroup
	for i := range sealed {
		wg.Go(func() {
			var err error
			if sealed[i], err = seal.Seal(file, secret.New(plain)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, s := range sealed {
		if got, err := seal.Open(file, s); err != nil || got.Reveal() != plain {
			t.Errorf("value %d: %q, %v", i, got.Reveal(), err)
		}
	}
}

func TestIdentityThatIsThereIsNotOverwritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "identity.txt")
	if err := seal.MakeIdentity(file); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.MakeIdentity(file); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(file); err != nil || string(second) != string(first) {
		t.Errorf("the second identity replaced the first (%v)", err)
	}
}

func TestDefaultIdentityFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, dir)
	}
	sealed, err := seal.Seal("", secret.New(plain))
	if err != nil {
		t.Fatal(err)
	}
	name, err := seal.DefaultIdentityFile()
	if err != nil || !strings.HasPrefix(name, dir) || !strings.HasSuffix(name, filepath.Join("smtpsend", "identity.txt")) {
		t.Errorf("DefaultIdentityFile = %q, %v", name, err)
	}
	if got, err := seal.Open(name, sealed); err != nil || got.Reveal() != plain {
		t.Errorf("Open = %q, %v", got.Reveal(), err)
	}
	for _, unset := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(unset, "")
	}
	if _, err := seal.Open("", sealed); !errors.Is(err, seal.ErrNoIdentity) || !strings.HasSuffix(err.Error(), ": this user has no configuration directory") {
		t.Errorf("without a home: %v", err)
	}
}

// An identity that others could have put there, or could reach, is not used.
func TestPlantedIdentityIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and pipes of Unix")
	}
	for name, plant := range map[string]func(good, dir string) error{
		"hard link": func(good, dir string) error { return os.Link(good, dir+"/identity.txt") },
		"directory": func(_, dir string) error { return os.Mkdir(dir+"/identity.txt", 0o700) },
		"a link where all may write": func(good, dir string) error {
			return errors.Join(os.Symlink(good, dir+"/identity.txt"), os.Chmod(dir, 0o777))
		},
	} {
		t.Run(name, func(t *testing.T) {
			good, dir := filepath.Join(t.TempDir(), "identity.txt"), t.TempDir()
			sealed, err := seal.Seal(good, secret.New(plain))
			if err != nil {
				t.Fatal(err)
			}
			if err := plant(good, dir); err != nil {
				t.Fatal(err)
			}
			got, err := seal.Open(filepath.Join(dir, "identity.txt"), sealed)
			if !errors.Is(err, seal.ErrBadIdentity) || !got.IsZero() {
				t.Errorf("Open = %v; want ErrBadIdentity", err)
			}
		})
	}
}
