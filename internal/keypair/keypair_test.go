package keypair_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// workshop is a directory with a CA, a pair that it issued and other pairs, made by
// OpenSSL as people make them.
type workshop struct {
	t   *testing.T
	dir string
}

func newWorkshop(t *testing.T) workshop {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	w := workshop{t, t.TempDir()}
	w.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=ca")
	w.openssl("req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=client")
	w.openssl("x509 -req -in client.csr -CA ca.crt -CAkey ca.key -out client.crt -days 20 -set_serial 2")
	return w
}

func (w workshop) openssl(line string) {
	w.t.Helper()
	cmd := exec.Command("openssl", strings.Fields(line)...)
	cmd.Dir = w.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("openssl %s: %v\n%s", line, err, out)
	}
}

func (w workshop) path(name string) string { return filepath.Join(w.dir, name) }

func (w workshop) get(name string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// put writes the parts one after another; a part that is a file's name is its content.
func (w workshop) put(name string, parts ...any) string {
	w.t.Helper()
	var all []byte
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			all = append(all, w.get(part)...)
		case []byte:
			all = append(all, part...)
		}
	}
	if err := os.WriteFile(w.path(name), all, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}

func utf16LE(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(text))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// TestReadFindsThePair: however the same pair is written, it has the same key, the same
// certificate first, and signs.
func TestReadFindsThePair(t *testing.T) {
	w := newWorkshop(t)
	w.openssl("rsa -in client.key -traditional -out pkcs1.key")
	w.openssl("pkcs8 -topk8 -in client.key -out pkcs8-pbkdf2.key -passout pass:pw")
	w.openssl("pkcs8 -topk8 -in client.key -scrypt -out pkcs8-scrypt.key -passout pass:pw")
	w.openssl("rsa -in client.key -traditional -aes128 -out dek.key -passout pass:pw")
	pkcs12 := "pkcs12 -export -in client.crt -inkey client.key -certfile ca.crt -passout pass:"
	w.openssl(pkcs12 + "pw -out modern.pfx")
	w.openssl(pkcs12 + "pw -legacy -out legacy.pfx")
	w.openssl(pkcs12 + "pw -macalg sha1 -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -out windows.pfx")
	w.openssl(pkcs12 + " -out empty.pfx")
	crlf := bytes.ReplaceAll(append(w.get("client.crt"), w.get("client.key")...), []byte("\n"), []byte("\r\n"))
	bom := []byte("\ufeff")
	want, err := keypair.Read(t.Context(), keypair.Files{Certificate: w.path("client.crt"), Key: w.path("client.key")})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file, key, password string
		chain               int
	}{
		"certificate, key":           {w.put("1.pem", "client.crt", "client.key"), "", "", 1},
		"key, certificate":           {w.put("2.pem", "client.key", "client.crt"), "", "", 1},
		"the CA first":               {w.put("3.pem", "ca.crt", "client.crt", "client.key"), "", "", 2},
		"the CA first, key between":  {w.put("4.pem", "ca.crt", "client.key", "client.crt"), "", "", 2},
		"CRLF":                       {w.put("5.pem", crlf), "", "", 1},
		"a byte order mark":          {w.put("6.pem", bom, "client.crt", bom, "client.key"), "", "", 1},
		"UTF-16":                     {w.put("7.pem", utf16LE(append(w.get("client.key"), w.get("client.crt")...))), "", "", 1},
		"Latin-1 in a comment":       {w.put("8.pem", []byte("friendlyName: M\xfcller\n"), "client.key", []byte("f\xfcr\n"), "client.crt"), "", "", 1},
		"PKCS #1":                    {w.put("9.pem", "client.crt", "pkcs1.key"), "", "", 1},
		"encrypted by PBKDF2":        {w.put("a.pem", "client.crt", "pkcs8-pbkdf2.key"), "", "pw", 1},
		"encrypted by scrypt":        {w.put("b.pem", "client.crt", "pkcs8-scrypt.key"), "", "pw", 1},
		"DEK-Info":                   {w.put("c.pem", "client.crt", "dek.key"), "", "pw", 1},
		"an encrypted key's file":    {w.path("client.crt"), w.path("pkcs8-pbkdf2.key"), "pw", 1},
		"a password that is not due": {w.path("1.pem"), "", "pw", 1},
		"PKCS #12":                   {w.path("modern.pfx"), "", "pw", 2},
		"PKCS #12 of old":            {w.path("legacy.pfx"), "", "pw", 2},
		"PKCS #12 of Windows":        {w.path("windows.pfx"), "", "pw", 2},
		"PKCS #12, empty password":   {w.path("empty.pfx"), "", "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := keypair.Open(t.Context(), keypair.Files{Certificate: tt.file, Key: tt.key, Password: secret.New(tt.password)})
			if err != nil {
				t.Fatal(err)
			}
			if p.Key().Reveal() != want.Key().Reveal() {
				t.Error("the key is another one")
			}
			if ends := p.NotAfter(); !ends.Equal(want.Certificate().NotAfter) { // before any certificate is parsed
				t.Errorf("ends at %s", ends)
			}
			if !p.Certificate().Equal(want.Certificate()) || len(p.Chain()) != tt.chain {
				t.Errorf("certificate of %s, %d in all", p.Certificate().Subject, len(p.Chain()))
			}
			key, leaf, err := p.Signer()
			if err != nil || leaf.Subject.CommonName != "client" || !key.PublicKey.Equal(leaf.PublicKey) {
				t.Errorf("signer: %v, %v", leaf, err)
			}
		})
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	w := newWorkshop(t)
	w.openssl("pkcs8 -topk8 -in client.key -out enc.key -passout pass:pw")
	w.openssl("rsa -in client.key -traditional -aes128 -out dek.key -passout pass:pw")
	w.openssl("pkcs12 -export -in client.crt -inkey client.key -passout pass:pw -out p.pfx")
	w.openssl("req -x509 -newkey rsa:1024 -nodes -keyout short.key -out short.crt -days 1 -subj /CN=short")
	w.openssl("ecparam -name prime256v1 -genkey -out ec.key")
	w.openssl("req -x509 -key ec.key -out ec.crt -days 1 -subj /CN=ec")
	w.openssl("pkcs8 -topk8 -nocrypt -in ec.key -out ec8.key")
	w.openssl("genpkey -algorithm ed25519 -out ed.key")
	w.openssl("x509 -in client.crt -outform der -out client.cer")
	torn := w.get("client.key")[:600]
	for name, tt := range map[string]struct {
		files keypair.Files
		is    error
		fault smtp.Fault
	}{
		"no file":             {keypair.Files{Certificate: w.path("none")}, fs.ErrNotExist, smtp.FaultCertificateUnreadable},
		"no key's file":       {keypair.Files{Certificate: w.path("client.crt"), Key: w.path("none")}, fs.ErrNotExist, smtp.FaultCertificateUnreadable},
		"no key":              {keypair.Files{Certificate: w.path("client.crt")}, keypair.ErrNoKey, smtp.FaultCertificateUnreadable},
		"DER without key":     {keypair.Files{Certificate: w.path("client.cer")}, keypair.ErrNoKey, smtp.FaultCertificateUnreadable},
		"no certificate":      {keypair.Files{Certificate: w.path("client.key")}, certfile.ErrNone, smtp.FaultCertificateUnreadable},
		"empty":               {keypair.Files{Certificate: w.put("empty")}, keypair.ErrNoKey, smtp.FaultCertificateUnreadable},
		"half a key":          {keypair.Files{Certificate: w.put("torn.pem", "client.crt", torn)}, keypair.ErrTorn, smtp.FaultCertificateUnreadable},
		"two keys":            {keypair.Files{Certificate: w.put("two.pem", "client.crt", "client.key", "ca.key")}, keypair.ErrSeveralKeys, smtp.FaultCertificateUnreadable},
		"no password":         {keypair.Files{Certificate: w.put("e.pem", "client.crt", "enc.key")}, keypair.ErrPassword, smtp.FaultCertificateUnreadable},
		"wrong password":      {keypair.Files{Certificate: w.path("e.pem"), Password: secret.New("no")}, keypair.ErrWrongPassword, smtp.FaultCertificateUnreadable},
		"no password, old":    {keypair.Files{Certificate: w.put("d.pem", "client.crt", "dek.key")}, keypair.ErrPassword, smtp.FaultCertificateUnreadable},
		"wrong password, old": {keypair.Files{Certificate: w.path("d.pem"), Password: secret.New("no")}, keypair.ErrWrongPassword, smtp.FaultCertificateUnreadable},
		"no password, PFX":    {keypair.Files{Certificate: w.path("p.pfx")}, keypair.ErrPassword, smtp.FaultCertificateUnreadable},
		"wrong password, PFX": {keypair.Files{Certificate: w.path("p.pfx"), Password: secret.New("no")}, keypair.ErrWrongPassword, smtp.FaultCertificateUnreadable},
		"1024 bits":           {keypair.Files{Certificate: w.path("short.crt"), Key: w.path("short.key")}, keypair.ErrShort, smtp.FaultCertificateKind},
		"EC, SEC 1":           {keypair.Files{Certificate: w.path("ec.crt"), Key: w.path("ec.key")}, keypair.ErrNotRSA, smtp.FaultCertificateKind},
		"EC, PKCS #8":         {keypair.Files{Certificate: w.path("ec.crt"), Key: w.path("ec8.key")}, keypair.ErrNotRSA, smtp.FaultCertificateKind},
		"Ed25519":             {keypair.Files{Certificate: w.path("ec.crt"), Key: w.path("ed.key")}, keypair.ErrNotRSA, smtp.FaultCertificateKind},
		"another's key":       {keypair.Files{Certificate: w.path("client.crt"), Key: w.path("ca.key")}, keypair.ErrNotItsKey, smtp.FaultCertificateKey},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := keypair.Read(t.Context(), tt.files)
			if err == nil {
				_, _, err = p.Signer()
			}
			wrong, ok := errors.AsType[*keypair.Error](err)
			if !ok || !errors.Is(err, tt.is) || wrong.Fault() != tt.fault {
				t.Fatalf("%v (%T), want %v", err, err, tt.is)
			}
			if wrong.File != tt.files.Certificate && wrong.File != tt.files.Key || strings.Contains(wrong.Err.Error(), w.dir) {
				t.Errorf("it names %s: %v", wrong.File, wrong.Err)
			}
		})
	}
}

func TestNewMakesAPairThatReads(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	made, err := keypair.New(keypair.Template{Bits: 2048, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "pair.pem")
	if err := os.WriteFile(name, []byte(made.PEM().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := keypair.Read(t.Context(), keypair.Files{Certificate: name})
	if err != nil {
		t.Fatal(err)
	}
	key, leaf, err := read.Signer()
	if err != nil || key.N.BitLen() != 2048 || read.Key().Reveal() != made.Key().Reveal() {
		t.Fatalf("%v", err)
	}
	if !read.NotAfter().Equal(leaf.NotAfter) || !made.NotAfter().Equal(leaf.NotAfter) {
		t.Errorf("ends at %s and %s, want %s", read.NotAfter(), made.NotAfter(), leaf.NotAfter)
	}
	if leaf.NotAfter != now.Add(keypair.DefaultLife) || !leaf.NotBefore.Before(now) || leaf.IsCA {
		t.Errorf("from %s to %s, CA %v", leaf.NotBefore, leaf.NotAfter, leaf.IsCA)
	}
	if bytes.Contains(made.CertificatePEM(), []byte("PRIVATE")) {
		t.Error("the certificate's PEM has the key")
	}
	short, long := keypair.Thumbprints(leaf)
	if len(short) != 40 || len(long) != 64 || short != strings.ToUpper(short) {
		t.Errorf("thumbprints %s, %s", short, long)
	}
}

// A date after 2049 is written in another way (RFC 5280 4.1.2.5).
func TestNotAfterOfAFarDate(t *testing.T) {
	made, err := keypair.New(keypair.Template{Bits: 2048, Life: 40 * 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "pair.pem")
	if err := os.WriteFile(name, []byte(made.PEM().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := keypair.Open(t.Context(), keypair.Files{Certificate: name})
	if err != nil || !p.NotAfter().Equal(made.Certificate().NotAfter) {
		t.Errorf("%v, %v", p.NotAfter(), err)
	}
}

// FuzzRead: whatever the file holds, reading ends without a panic, and a pair that
// signs has a certificate of its key. A key in the text of an error would be its octets.
func FuzzRead(f *testing.F) {
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		f.Fatal(err)
	}
	whole := []byte(pair.PEM().Reveal())
	f.Add(whole)
	f.Add(bytes.ReplaceAll(whole, []byte("PRIVATE KEY"), []byte("RSA PRIVATE KEY")))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x80, 0x02, 0x01, 0x03})
	f.Add(utf16LE(whole))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(dir, "pair")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := keypair.Read(t.Context(), keypair.Files{Certificate: name})
		if err == nil {
			_, _, err = p.Signer()
		}
		if err == nil {
			key, leaf, _ := p.Signer()
			if !key.PublicKey.Equal(leaf.PublicKey) || key.N.BitLen() < 2048 {
				t.Error("a pair that does not fit")
			}
			if len(p.Chain()) == 1 && !p.NotAfter().Equal(leaf.NotAfter) {
				t.Errorf("ends at %s, want %s", p.NotAfter(), leaf.NotAfter)
			}
			return
		}
		if _, ok := errors.AsType[*keypair.Error](err); !ok {
			t.Errorf("%T: %v", err, err)
		}
	})
}
