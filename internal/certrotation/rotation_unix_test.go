//go:build unix

package certrotation_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/certrotation"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// place is a sandbox, and an application whose certificate is in files.
type place struct {
	Environ  []string
	Files    keypair.Files
	Password string // of the files
	Graph    string
	ObjectID string
	Pool     string // directory of pairs that are not used yet
	box      *sandbox.Sandbox
}

// pairs are shared by all places: making one takes longer than a rotation.
var pairs = sync.OnceValues(func() (list []*keypair.Pair, err error) {
	for range 4 {
		p, err := keypair.New(keypair.Template{Bits: 2048})
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
})

func firstPair(t *testing.T) *keypair.Pair {
	t.Helper()
	list, err := pairs()
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// make takes a pair that is not used yet.
func (p *place) make() (*keypair.Pair, error) {
	left, err := filepath.Glob(p.Pool + "/*")
	if err != nil || len(left) == 0 {
		return nil, errors.New("no pair is left")
	}
	pair, err := keypair.Read(context.Background(), keypair.Files{Certificate: left[0]})
	if err != nil {
		return nil, err
	}
	return pair, os.Remove(left[0])
}

func newPool(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list, err := pairs()
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range list[1:] {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i), []byte(p.PEM().Reveal()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func signingKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, _, err := firstPair(t).Signer()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newPlace has the pair in the form that openssl gives it: "PEM", "two files", "encrypted",
// "two encrypted", "PKCS #12".
func newPlace(t *testing.T, form string, o sandbox.Options) *place {
	t.Helper()
	o.SigningKey = signingKey(t)
	box, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	dir := t.TempDir()
	p := &place{Graph: box.URL(), ObjectID: box.Credentials().Application().RegistrationID(), Pool: newPool(t), box: box}
	p.Files.Certificate = filepath.Join(dir, "client.pem")
	if strings.HasPrefix(form, "two") {
		p.Files.Key = filepath.Join(dir, "client.key")
	}
	pair := writePair(t, p, form)
	if _, err := box.Credentials().Application().AddCertificate(pair.Leaf().Raw); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, box.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Environ = append(slices.DeleteFunc(box.Env(), func(line string) bool { return strings.Contains(line, "CLIENT_SECRET=") }),
		"SMTPSEND_CA_FILE="+ca, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE="+p.Files.Certificate, "SMTPSEND_STATE_DIR="+dir, "SMTPSEND_CACHE_DIR="+dir)
	if p.Files.Key != "" {
		p.Environ = append(p.Environ, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_KEY_FILE="+p.Files.Key)
	}
	if p.Password != "" {
		p.Environ = append(p.Environ, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_PASSWORD="+p.Password)
	}
	return p
}

// writePair makes the first pair of a place.
func writePair(t *testing.T, p *place, form string) *keypair.Pair {
	t.Helper()
	pair := firstPair(t)
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(p.Files.Certificate, []byte(pair.PEM().Reveal()))
	if form == "PEM" {
		return pair
	}
	plain := p.Files.Certificate + ".plain"
	write(plain, []byte(pair.PEM().Reveal()))
	encrypted := strings.Contains(form, "encrypted") || form == "PKCS #12"
	if encrypted {
		p.Password = "word"
	}
	key, err := pair.KeyLike(pair)
	if err != nil {
		t.Fatal(err)
	}
	keyText := []byte(key.Reveal())
	if strings.Contains(form, "encrypted") {
		keyText = openssl(t, "pkcs8", "-topk8", "-in", plain, "-passout", "pass:word")
	}
	switch {
	case form == "PKCS #12":
		write(p.Files.Certificate, openssl(t, "pkcs12", "-export", "-in", plain, "-passout", "pass:word"))
	case p.Files.Key != "":
		write(p.Files.Certificate, pair.CertificatePEM())
		write(p.Files.Key, keyText)
	default:
		write(p.Files.Certificate, append(pair.CertificatePEM(), keyText...))
	}
	return pair
}

func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		t.Fatalf("openssl %v: %v", args, err)
	}
	return out
}

func (p *place) files() keypair.Files {
	f := p.Files
	f.Password = secret.New(p.Password)
	return f
}

func (p *place) next() string { return p.Files.Certificate + ".next" }

func (p *place) account() (*account.Account, error) {
	cfg, err := config.Load(context.Background(), config.Options{Environ: p.Environ, NoEnvFile: true})
	if err != nil {
		return nil, err
	}
	return account.New(cfg, account.Options{}), nil
}

// options are those of a rotation in the place.
func (p *place) options(a *account.Account, step func(string) error) certrotation.Options {
	mailbox, prover := a.Settings().MailSender, account.NewProver(a)
	var waited time.Duration // no one waits: the clock is moved
	return certrotation.Options{
		Present: p.files(), Next: p.next(), Make: p.make,
		Accepted: func(ctx context.Context, pair *keypair.Pair) error {
			_, err := prover.TokenBy(ctx, pair)
			return err
		},
		Prove: func(ctx context.Context, pair *keypair.Pair) error {
			return prover.SignInBy(ctx, pair, mailbox, time.Now().Add(time.Minute))
		},
		Refuses: func(err error) bool {
			refused, ok := errors.AsType[*entra.Error](err)
			return ok && refused.RefusesCredential()
		},
		Directory: prover.Directory(p.Graph), ObjectID: p.ObjectID, Wait: time.Minute,
		Pause: func(ctx context.Context, d time.Duration) error {
			waited += d
			return ctx.Err()
		},
		Now:  func() time.Time { return time.Now().Add(waited) },
		Step: step,
	}
}

// mail proves that a process that starts now can submit.
func (p *place) mail(t *testing.T) {
	t.Helper()
	a, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Token(t.Context()); err != nil {
		t.Errorf("mail stops: %v", err)
	}
}

// leaf is the SHA-256 thumbprint of the present pair.
func (p *place) leaf(t *testing.T) string {
	t.Helper()
	pair, err := keypair.Read(t.Context(), p.files())
	if err == nil {
		_, _, err = pair.Signer()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, long := keypair.Thumbprints(pair.Leaf())
	return long
}

// childOf has the place of a run that is killed, as JSON; the verb; and the step.
const childOf, childVerb, childStep = "CERTROTATION_PLACE", "CERTROTATION_VERB", "CERTROTATION_STEP"

// TestChild is no test: it is the run that TestKilledAtEachStep kills.
func TestChild(t *testing.T) {
	text := os.Getenv(childOf)
	if text == "" {
		return
	}
	var p place
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	a, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	wanted, steps := os.Getenv(childStep), 0
	err = act(t.Context(), os.Getenv(childVerb), p.options(a, func(name string) error {
		if steps++; fmt.Sprint(steps) == wanted {
			fmt.Println("killed at", name)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ended")
}

// act does what a verb does.
func act(ctx context.Context, verb string, o certrotation.Options) error {
	r, err := certrotation.Open(o)
	if err != nil {
		return err
	}
	defer r.Close()
	switch verb {
	case "begin":
		_, err = r.Begin(ctx)
	case "finish":
		_, err = r.Finish(ctx)
	case "upload":
		_, err = r.Upload(ctx)
	}
	return err
}

// run is a verb in a process of its own, which is killed at a step. It reports the step's
// name, "" when the run ended before it.
func (p *place) run(t *testing.T, verb string, step int) string {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childOf+"="+string(text), childVerb+"="+verb, fmt.Sprintf("%s=%d", childStep, step))
	out, err := cmd.CombinedOutput()
	_, name, killed := strings.Cut(string(out), "killed at ")
	switch {
	case killed:
		return strings.TrimSpace(name)
	case err != nil || !strings.Contains(string(out), "ended"):
		t.Fatalf("%s: %v\n%s", verb, err, out)
	}
	return ""
}

// TestKilledAtEachStep of an upload, with one file and with two: mail goes on, and the next
// run ends the rotation.
func TestKilledAtEachStep(t *testing.T) {
	for _, form := range []string{"PEM", "two encrypted"} {
		t.Run(form, func(t *testing.T) {
			for step := 1; ; step++ {
				if name := killedUpload(t, form, step); name == "" {
					if step < 10 {
						t.Errorf("only %d steps", step)
					}
					return
				}
			}
		})
	}
}

// TestEachForm is rotated, and keeps its form.
func TestEachForm(t *testing.T) {
	for _, form := range []string{"two files", "encrypted", "PKCS #12"} {
		t.Run(form, func(t *testing.T) { killedUpload(t, form, 0) })
	}
}

// killedUpload is an upload that is killed at a step, and the next run.
func killedUpload(t *testing.T, form string, step int) (name string) {
	t.Helper()
	p := newPlace(t, form, sandbox.Options{GraphDelay: 2})
	before := p.leaf(t)
	name = p.run(t, "upload", step)
	p.mail(t)
	if name != "" {
		p.run(t, "upload", 0)
		p.mail(t)
	}
	if p.leaf(t) == before {
		t.Fatalf("killed at %q: not rotated", name)
	}
	checkEnded(t, p, name)
	checkRemoval(t, p, before, name)
	return name
}

// checkEnded wants nothing left beside the present pair but the old one.
func checkEnded(t *testing.T, p *place, name string) {
	t.Helper()
	if _, err := os.Lstat(p.next()); err == nil {
		t.Errorf("killed at %s: the next pair is still there", name)
	}
	old, _ := filepath.Glob(p.Files.Certificate + ".old-*")
	if len(old) != 1 {
		t.Errorf("killed at %s: kept are %v", name, old)
	}
	if p.Files.Key != "" {
		if old, _ := filepath.Glob(p.Files.Key + ".old-*"); len(old) != 1 {
			t.Errorf("killed at %s: kept keys are %v", name, old)
		}
	}
	if left, _ := filepath.Glob(filepath.Dir(p.Files.Certificate) + "/.*.tmp*"); len(left) > 0 {
		t.Errorf("killed at %s: left are %v", name, left)
	}
}

// checkRemoval wants the old certificate, whose key ID no one told, removed by hand, and
// that of a second rotation by Graph.
func checkRemoval(t *testing.T, p *place, first, name string) {
	t.Helper()
	second := p.leaf(t)
	p.run(t, "upload", 0) // forgets the first
	if p.leaf(t) != second {
		t.Errorf("killed at %s: a run that removes has rotated", name)
	}
	thumbprints := func() (list []string) {
		for _, c := range p.box.Credentials().Application().Certificates() {
			_, long := keypair.Thumbprints(c.Certificate)
			list = append(list, long)
		}
		return list
	}
	if got := thumbprints(); !slices.Contains(got, first) || !slices.Contains(got, second) {
		t.Errorf("killed at %s: registered are %v", name, got)
	}
	p.mail(t)
}

// TestRemoveKilledAtEachStep: the second rotation's old certificate was added by Graph,
// which told its ID.
func TestRemoveKilledAtEachStep(t *testing.T) {
	for step := 1; ; step++ {
		p := newPlace(t, "PEM", sandbox.Options{})
		p.run(t, "upload", 0)
		p.run(t, "upload", 0)
		second := p.leaf(t)
		p.run(t, "upload", 0)
		third := p.leaf(t)
		if n := len(p.box.Credentials().Application().Certificates()); n != 3 {
			t.Fatalf("%d certificates: a run that rotates has removed", n)
		}
		name := p.run(t, "upload", step)
		p.mail(t)
		if name != "" {
			p.run(t, "upload", 0)
		}
		p.mail(t)
		for _, c := range p.box.Credentials().Application().Certificates() {
			if _, long := keypair.Thumbprints(c.Certificate); long == second {
				t.Errorf("killed at %s: the old one is still registered", name)
			}
		}
		if p.leaf(t) != third {
			t.Errorf("killed at %s: rotated again", name)
		}
		if name == "" {
			return
		}
	}
}

// TestByHand: begin, upload, finish, killed at each step of the finish.
func TestByHand(t *testing.T) {
	for step := 1; ; step++ {
		p := newPlace(t, "two files", sandbox.Options{})
		p.run(t, "begin", 0)
		p.run(t, "begin", 0) // again changes nothing
		p.mail(t)
		next, err := keypair.Read(t.Context(), keypair.Files{Certificate: p.next()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.box.Credentials().Application().AddCertificate(next.Leaf().Raw); err != nil {
			t.Fatal(err)
		}
		name := p.run(t, "finish", step)
		p.mail(t)
		if name != "" {
			if _, err := os.Lstat(p.next()); err == nil {
				p.run(t, "finish", 0)
			}
		}
		_, long := keypair.Thumbprints(next.Leaf())
		if p.leaf(t) != long {
			t.Errorf("killed at %s: another one is present", name)
		}
		p.mail(t)
		checkEnded(t, p, name)
		if name == "" {
			return
		}
	}
}

// TestTemporaryFilesOfAKilledRun are removed by the next one: they may hold a private key.
// Those of other files are not touched.
func TestTemporaryFilesOfAKilledRun(t *testing.T) {
	p := newPlace(t, "two files", sandbox.Options{})
	dir := filepath.Dir(p.Files.Certificate)
	certificate, key := filepath.Base(p.Files.Certificate), filepath.Base(p.Files.Key)
	temporary := func(name string) string { return "." + name + ".tmpABCDEFGHIJKLMNOPQRSTUVWXYZ" }
	for _, name := range []string{certificate, key, certificate + ".next", certificate + ".next.cer", key + ".old-20261130", "other.pem"} {
		if err := os.WriteFile(filepath.Join(dir, temporary(name)), []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.run(t, "begin", 0)
	left, err := filepath.Glob(dir + "/.*.tmp*")
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != temporary("other.pem") {
		t.Errorf("left are %q, %v", left, err)
	}
}
