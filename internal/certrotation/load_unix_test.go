//go:build unix

package certrotation_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// TestRotationUnderLoad: one process sends 200 mails, each with a token of its own. Meanwhile
// the next pair is made and uploaded, the first certificate is removed from the application,
// and the rotation is finished. No mail is lost, and there is one warning.
func TestRotationUnderLoad(t *testing.T) {
	const mails = 200
	p := newPlace(t, "PEM", sandbox.Options{})
	var log bytes.Buffer
	client, err := smtpsend.New(smtpsend.Options{Settings: p.Environ, InMemory: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	first := p.box.Credentials().Application().Certificates()[0]
	at := map[int]func(){
		50: func() { p.run(t, "begin", 0) },
		80: func() {
			next, err := keypair.Read(t.Context(), keypair.Files{Certificate: p.next()})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.box.Credentials().Application().AddCertificate(next.Leaf().Raw); err != nil {
				t.Fatal(err)
			}
		},
		100: func() { p.box.Credentials().Application().RemoveCertificate(first.Thumbprint) },
		150: func() { p.run(t, "finish", 0) },
	}
	for i := range mails {
		if act := at[i]; act != nil {
			act()
		}
		token, err := client.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		client.Invalidate(token) // so that each mail asks for one
		receipt, err := client.Send(t.Context(), &smtpsend.Message{To: []string{"ada@contoso.example"}, Subject: "x", Text: "x"})
		if err != nil {
			t.Fatalf("mail %d: %v, %v", i, receipt, err)
		}
	}
	if n := len(p.box.Messages()); n != mails {
		t.Errorf("%d mails of %d arrived", n, mails)
	}
	if n := strings.Count(log.String(), "CLIENT_CERTIFICATE_NEXT_FILE is used"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
	if n := p.box.Stats().TokenRequests; n < mails {
		t.Errorf("only %d token requests: nothing was tried", n)
	}
}
