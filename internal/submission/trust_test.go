package submission_test

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func TestServerIsTrustedByTheLoadedRootsAlone(t *testing.T) {
	s := &server{}
	o := setup(t, s)
	right, none := o.RootCAs, x509.NewCertPool()
	o.RootCAs = nil
	for name, tt := range map[string]struct {
		roots *x509.CertPool
		host  string
		fault smtp.Fault // "": accepted
	}{
		"the roots know the server": {right, o.Host, ""},
		"they do not":               {none, o.Host, smtp.FaultTLSUntrusted},
		"the system's do not":       {nil, o.Host, smtp.FaultTLSUntrusted},
		"another name":              {right, "localhost", smtp.FaultTLSHostname},
		"another name, and unknown": {none, "localhost", smtp.FaultTLSHostname},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.commands())
			loads := 0
			o := o
			o.Host, o.IPFamily = tt.host, "ipv4"
			o.LoadRoots = func() (*x509.CertPool, error) { loads++; return tt.roots, nil }
			r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
			if loads != 1 {
				t.Errorf("the roots were loaded %d times, want once", loads)
			}
			e := r.Err()
			if tt.fault == "" {
				if !r.AllAccepted() {
					t.Errorf("not accepted: %v", e)
				}
				return
			}
			if e == nil || e.Stage != smtp.StageStartTLS || e.Fault != tt.fault {
				t.Errorf("err %v, want %s", e, tt.fault)
			}
			if slices.ContainsFunc(s.commands()[before:], func(l string) bool { return strings.HasPrefix(l, "AUTH") }) {
				t.Error("AUTH was sent")
			}
		})
	}
}

func TestRootsThatCannotBeLoadedEndTheSession(t *testing.T) {
	o := setup(t, &server{})
	unreadable := errors.New("no such directory")
	o.LoadRoots = func() (*x509.CertPool, error) { return nil, unreadable }
	e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
	if e == nil || e.Stage != smtp.StageStartTLS || !errors.Is(e, unreadable) {
		t.Errorf("err %v, want %v", e, unreadable)
	}
}

// Plain text needs no roots, and waits for none.
func TestRootsAreNotLoadedWithoutTLS(t *testing.T) {
	s := &server{extTLS: exchangeExt, ext: replaceExt(exchangeExt, "STARTTLS", "AUTH XOAUTH2")}
	o := setup(t, s)
	o.Security = session.Plaintext
	o.LoadRoots = func() (*x509.CertPool, error) { t.Error("the roots were loaded"); return nil, nil }
	allAccepted(t, []*submission.Receipt{submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)})
}
