package submission_test

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func TestFirstRootsSpareTheOthersAndTrustNoMore(t *testing.T) {
	s := &server{}
	o := setup(t, s)
	right, none := o.RootCAs, x509.NewCertPool()
	o.RootCAs = nil
	for name, tt := range map[string]struct {
		first, all *x509.CertPool
		host       string
		loads      int
		fault      smtp.Fault // "": accepted
	}{
		"the first are enough":       {right, none, o.Host, 0, ""},
		"the others are needed":      {none, right, o.Host, 1, ""},
		"neither knows the server":   {none, none, o.Host, 1, smtp.FaultTLSUntrusted},
		"another name on the paper":  {right, right, "localhost", 1, smtp.FaultTLSHostname},
		"another name, and unknown":  {none, none, "localhost", 1, smtp.FaultTLSHostname},
		"the first alone, not known": {none, nil, o.Host, 1, smtp.FaultTLSUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.commands())
			loads := 0
			o := o
			o.Host, o.FirstRoots, o.IPFamily = tt.host, tt.first, "ipv4"
			o.LoadRoots = func() (*x509.CertPool, error) { loads++; return tt.all, nil }
			r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
			if loads != tt.loads {
				t.Errorf("the other roots were loaded %d times, want %d", loads, tt.loads)
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
	o.FirstRoots, o.LoadRoots = x509.NewCertPool(), func() (*x509.CertPool, error) { return nil, unreadable }
	e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
	if e == nil || e.Stage != smtp.StageStartTLS || !errors.Is(e, unreadable) {
		t.Errorf("err %v, want %v", e, unreadable)
	}
}
