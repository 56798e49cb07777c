package kindtest_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

// client is one of the library, with what the ecosystem sets.
func (b *bench) client(t testing.TB, logger *slog.Logger) *smtpsend.Client {
	t.Helper()
	c, err := smtpsend.New(smtpsend.Options{
		Settings: append(b.env, "SMTPSEND_CACHE_DIR="+filepath.Join(b.dir, "cache")), EnvFile: b.file, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachKindSendsFromGo(t *testing.T) {
	for _, kind := range wallet.Kinds() {
		t.Run(kind, func(t *testing.T) {
			b := set(t, kind, sandbox.Options{})
			c := b.client(t, nil)
			if _, err := c.Send(t.Context(), &smtpsend.Message{To: []string{"a@contoso.example"}, Subject: "hi", Text: "hi"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// lines is a log that is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// TestRotationInOneProcess: a program that runs for long tells once that the next secret
// is used, however many tokens it fetches.
func TestRotationInOneProcess(t *testing.T) {
	b := set(t, wallet.Secret, sandbox.Options{Connections: -1})
	first := b.box.Credentials().Keys().Of(keyring.KindSecret)
	nextSecret(t, b)
	var log lines
	c := b.client(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	half := func() {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range mails / 8 {
					token, err := c.Token(t.Context())
					if err != nil {
						t.Error(err)
						continue
					}
					c.Invalidate(token) // as if it had expired: the mail needs a new one
					if _, err := c.Send(t.Context(), &smtpsend.Message{To: []string{"a@contoso.example"}, Subject: "hi", Text: "hi"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	}
	half()
	for _, k := range first {
		if err := b.box.Credentials().Keys().Expire(k.ID); err != nil {
			t.Fatal(err)
		}
	}
	half()
	if n := strings.Count(log.text.String(), "SMTPSEND_OFFICE_CLIENT_SECRET_NEXT"); b.box.Stats().TokenRequests < mails/4 || n != 1 || len(b.box.Messages()) != mails {
		t.Errorf("%d warnings, %d token requests, %d messages:\n%s", n, b.box.Stats().TokenRequests, len(b.box.Messages()), log.text.String())
	}
}
