//go:build unix

package certrotation_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/certrotation"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// writeEnded puts a next pair there that has ended.
func writeEnded(t *testing.T, p *place) *keypair.Pair {
	t.Helper()
	twoHoursAgo := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	pair, err := keypair.New(keypair.Template{Bits: 2048, Life: time.Hour, Now: twoHoursAgo})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.next(), []byte(pair.PEM().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestANextPairThatHasEnded makes room for another one: it was made long ago, and never
// uploaded. It is kept.
func TestANextPairThatHasEnded(t *testing.T) {
	p := newPlace(t, "PEM", sandbox.Options{})
	before, ended := p.leaf(t), writeEnded(t, p)
	p.run(t, "upload", 0)
	p.mail(t)
	_, endedPrint := keypair.Thumbprints(ended.Leaf())
	if now := p.leaf(t); now == before || now == endedPrint {
		t.Errorf("present is %s, it was %s, and the ended one is %s", now, before, endedPrint)
	}
	kept, err := filepath.Glob(p.next() + ".old-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	pair, err := keypair.Read(t.Context(), keypair.Files{Certificate: kept[0]})
	if err != nil || !pair.Leaf().Equal(ended.Leaf()) {
		t.Errorf("%s: another one, %v", kept[0], err)
	}
}

// TestEndedNamesTheFileToUpload: Graph takes no proof by a present one that has ended.
func TestEndedNamesTheFileToUpload(t *testing.T) {
	p := newPlace(t, "PEM", sandbox.Options{})
	ended := writeEnded(t, p)
	if err := os.Rename(p.next(), p.Files.Certificate); err != nil {
		t.Fatal(err)
	}
	if _, err := p.box.Credentials().Application().AddCertificate(ended.Leaf().Raw); err != nil {
		t.Fatal(err)
	}
	a, err := p.account()
	if err != nil {
		t.Fatal(err)
	}
	r, err := certrotation.Open(p.options(a, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.Upload(t.Context())
	if !errors.Is(err, certrotation.ErrEnded) || !strings.Contains(err.Error(), certrotation.Public(p.next())) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(certrotation.Public(p.next())); errors.Is(err, fs.ErrNotExist) {
		t.Error("there is no file to upload")
	}
}
