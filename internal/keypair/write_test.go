package keypair_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/secret"
)

func made(t *testing.T) *keypair.Pair {
	t.Helper()
	p, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func written(t *testing.T, name string, data []byte, password string) *keypair.Pair {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := keypair.Read(t.Context(), keypair.Files{Certificate: name, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLikeKeepsTheForm of each kind of file, as openssl writes it.
func TestLikeKeepsTheForm(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	call := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	call("req", "-x509", "-newkey", "rsa:2048", "-passout", "pass:word", "-subj", "/CN=x", "-keyout", file("key"), "-out", file("cert"))
	call("pkcs12", "-export", "-in", file("cert"), "-inkey", file("key"), "-passin", "pass:word", "-passout", "pass:word", "-out", file("p12"))
	read := func(name string) []byte {
		data, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for form, data := range map[string][]byte{
		"PEM": made(t).ChainPEM(), "PEM with an encrypted key": append(read("cert"), read("key")...), "PKCS #12": read("p12"),
	} {
		if form == "PEM" {
			data = []byte(made(t).PEM().Reveal())
		}
		present, next := written(t, "present", data, "word"), made(t)
		text, err := next.Like(present)
		if err != nil {
			t.Fatal(err)
		}
		again := written(t, "next", []byte(text.Reveal()), "word")
		if present.Form() != form || !again.SameForm(present) || again.Key().Reveal() != next.Key().Reveal() || !again.Leaf().Equal(next.Leaf()) {
			t.Errorf("%s: read as %s, written as %s, or another pair", form, present.Form(), again.Form())
		}
		if _, _, err := again.Signer(); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// TestReadTwoFiles at each moment of their exchange: the certificate's file has both
// certificates while the key changes.
func TestReadTwoFiles(t *testing.T) {
	old, next := made(t), made(t)
	dir := t.TempDir()
	files := keypair.Files{Certificate: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k")}
	key := func(p *keypair.Pair) []byte {
		text, err := p.KeyLike(p)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(text.Reveal())
	}
	for i, at := range []struct {
		certificate, key []byte
		want             *keypair.Pair
	}{
		{old.ChainPEM(), key(old), old}, {next.ChainPEM(old), key(old), old}, {next.ChainPEM(old), key(next), next}, {next.ChainPEM(), key(next), next},
	} {
		if err := os.WriteFile(files.Certificate, at.certificate, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files.Key, at.key, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := keypair.Read(t.Context(), files)
		if err != nil {
			t.Fatal(err)
		}
		if _, leaf, err := p.Signer(); err != nil || !leaf.Equal(at.want.Leaf()) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
