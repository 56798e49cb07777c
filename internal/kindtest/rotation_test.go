package kindtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

// mails is how many are sent while the credential changes.
const mails = 200

// TestRotationUnderLoad: the first credential is made invalid while a loop sends. No mail
// is lost, and one warning says that the next one is used.
func TestRotationUnderLoad(t *testing.T) {
	for name, tt := range map[string]struct {
		kind string
		next func(testing.TB, *bench) // registers the next one
		of   string                   // whose first is made invalid
		gone bool                     // removed, not expired
		told string                   // in the warning
	}{
		"an expired secret": {wallet.Secret, nextSecret, keyring.KindSecret, false, "SMTPSEND_OFFICE_CLIENT_SECRET_NEXT"},
		"a removed certificate": {wallet.Certificate, nextCertificate, keyring.KindCertificate, true,
			"SMTPSEND_OFFICE_CLIENT_CERTIFICATE_NEXT_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			b := set(t, tt.kind, sandbox.Options{Connections: -1})
			first := b.box.Credentials().Keys().Of(tt.of)
			tt.next(t, b)
			warnings := b.load(t, func() {
				keys := b.box.Credentials().Keys()
				change := keys.Expire
				if tt.gone {
					change = keys.Remove
				}
				for _, k := range first {
					if err := change(k.ID); err != nil {
						t.Error(err)
					}
				}
				// The token in the cache is good for an hour more. As if that had passed:
				if err := os.RemoveAll(filepath.Join(b.dir, "cache")); err != nil {
					t.Error(err)
				}
			})
			if len(b.box.Messages()) != mails {
				t.Errorf("%d messages arrived, want %d", len(b.box.Messages()), mails)
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0], tt.told) {
				t.Errorf("%d warnings, want one of %s: %q", len(warnings), tt.told, warnings)
			}
		})
	}
}

func nextSecret(_ testing.TB, b *bench) {
	const next = "the next secret of the application"
	b.box.Credentials().Keys().AddSecret(next)
	b.with("SMTPSEND_OFFICE_CLIENT_SECRET_NEXT", next)
}

func nextCertificate(t testing.TB, b *bench) {
	pair := pairOf(t)
	b.box.Credentials().Keys().AddCertificate(pair.Certificate(), time.Time{})
	b.write(t, b.file+".client.pem.next", pair.PEM().Reveal())
}

// load sends the mails, four at a time, calls change when half of them are done, and
// returns what the program wrote to standard error. While change runs, no mail is sent.
func (b *bench) load(t testing.TB, change func()) (warnings []string) {
	t.Helper()
	var mu sync.Mutex
	half := func() {
		var group sync.WaitGroup
		work := make(chan struct{}, mails)
		for range mails / 2 {
			work <- struct{}{}
		}
		close(work)
		for range 4 {
			group.Go(func() {
				for range work {
					r, err := b.run("--env-file", b.file, "send", "--to", "a@contoso.example", "--subject", "hi", "--text", "hi")
					mu.Lock()
					if err != nil || r.code != 0 {
						t.Errorf("%+v, %v", r, err)
					}
					if r.stderr != "" {
						warnings = append(warnings, r.stderr)
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
	}
	half()
	change()
	half()
	return warnings
}
