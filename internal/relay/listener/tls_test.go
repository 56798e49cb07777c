package listener_test

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/listener"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// secure offers STARTTLS.
type secure struct{ session }

func (s secure) Hello(context.Context, string, bool) smtpserver.Reply {
	return smtpserver.Say(250, "hello", "STARTTLS")
}

func (s secure) StartTLS(context.Context) smtpserver.Reply { return smtpserver.Say(220, "go on") }

func (s secure) Quit(context.Context) smtpserver.Reply { return smtpserver.Say(221, "bye") }

// TestOldDevice: one that knows TLS 1.0 or 1.1 alone gets in where the listener lets it,
// and elsewhere is told of with what it offered.
func TestOldDevice(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has openssl")
		}
		t.Skip("needs openssl")
	}
	shown, err := certificate.Open(t.Context(), certificate.Options{Dir: filepath.Join(t.TempDir(), "tls"), Names: []string{"relay.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []listener.Kind{listener.StartTLS, listener.Implicit} {
		for flag, version := range map[string]uint16{"-tls1": tls.VersionTLS10, "-tls1_1": tls.VersionTLS11} {
			for lowest, want := range map[uint16]bool{tls.VersionTLS10: true, tls.VersionTLS12: false} {
				l, _ := open(t, listener.Options{Address: listener.Address{Kind: kind, Host: "127.0.0.1", Port: "0"}})
				told := make(chan smtpserver.Broken, 10)
				s := smtpserver.New(smtpserver.Options{
					TLSConfig: shown.Config(lowest), ImplicitTLS: kind == listener.Implicit,
					NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session { return secure{session{peer: p}} },
					Broken:     func(_ *smtpserver.Peer, b smtpserver.Broken) { told <- b },
				})
				served := make(chan error, 1)
				go func() { served <- s.Serve(context.Background(), l) }()
				args := []string{"s_client", "-quiet", "-crlf", "-connect", l.Addr().String(), flag, "-cipher", "DEFAULT@SECLEVEL=0"}
				if kind == listener.StartTLS {
					args = append(args, "-starttls", "smtp")
				}
				cmd := exec.CommandContext(t.Context(), openssl, args...)
				cmd.Stdin = strings.NewReader("EHLO device\nquit\n") // a capital Q is openssl's own
				out, _ := cmd.CombinedOutput()
				if got := strings.Contains(string(out), "221 bye"); got != want {
					t.Errorf("%s %s, lowest version %x: %v\n%s", kind, flag, lowest, got, out)
				}
				if !want {
					got := <-told
					if got.Cause != smtpserver.CauseHandshake || got.Offer == nil {
						t.Fatalf("%s %s: told %+v", kind, flag, got)
					}
					if !slices.Equal(got.Offer.Versions, versionsUpTo(version)) {
						t.Errorf("%s %s: it offered %x", kind, flag, got.Offer.Versions)
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if err := <-served; !errors.Is(err, smtpserver.ErrServerClosed) {
					t.Error(err)
				}
			}
		}
	}
}

// versionsUpTo are what a client offers that says its highest version alone, as all did
// before TLS 1.3.
func versionsUpTo(version uint16) []uint16 {
	var all []uint16
	for v := version; v >= tls.VersionTLS10; v-- {
		all = append(all, v)
	}
	return all
}
