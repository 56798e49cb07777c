package submission_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func TestAnErrorIsNamedByHostAndDoubt(t *testing.T) {
	leaf := &x509.Certificate{Issuer: pkix.Name{CommonName: "Contoso Root CA"}, DNSNames: []string{"smtp.office365.com", "mail.contoso.example"}}
	untrusted := &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{leaf}, Err: x509.UnknownAuthorityError{Cert: leaf}}
	for _, tt := range []struct {
		name string
		err  session.Error
		want smtp.Fault
	}{
		{"nobody else signs for Microsoft", session.Error{Stage: smtp.StageStartTLS, Server: "smtp.office365.com:587", Fault: smtp.FaultTLSUntrusted, Err: untrusted},
			smtp.FaultTLSIntercepted},
		{"an authority of one's own", session.Error{Stage: smtp.StageStartTLS, Server: "mail.contoso.example:587", Fault: smtp.FaultTLSUntrusted, Err: untrusted},
			smtp.FaultTLSUntrusted},
		{"the token endpoint's, by the name in the certificate", session.Error{Stage: smtp.StageToken, Server: "mail.contoso.example:587", Fault: smtp.FaultTLSUntrusted, Err: untrusted},
			smtp.FaultTLSIntercepted},
		{"a connection that ends", session.Error{Stage: smtp.StageContent, Fault: smtp.FaultConnectionClosed, Err: io.EOF}, smtp.FaultConnectionClosed},
		{"the same after the final dot", session.Error{Stage: smtp.StageContent, Fault: smtp.FaultConnectionClosed, Err: io.EOF, InDoubt: true},
			smtp.FaultInDoubt},
	} {
		if got := tt.err.Symptom().Fault; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAReceiptTellsWhatKeptTheMessageFromAnyone(t *testing.T) {
	later := smtp.Reply{Code: 451, Lines: []string{"4.3.0 later"}}
	closed := &session.Error{Stage: smtp.StageContent, Fault: smtp.FaultConnectionClosed}
	a := smtp.Recipient{ForwardPath: "a@contoso.example", Outcome: smtp.Accepted}
	b := smtp.Recipient{ForwardPath: "b@contoso.example", Outcome: smtp.Transient, Stage: smtp.StageRcpt, Reply: later}
	large := smtp.Recipient{ForwardPath: "c@contoso.example", Outcome: smtp.Permanent, Stage: smtp.StageMail, Fault: "message-too-large"}
	for _, tt := range []struct {
		r        submission.Receipt
		code, to string
	}{
		{submission.Receipt{Recipients: []smtp.Recipient{a}}, "", ""},
		{submission.Receipt{Recipients: []smtp.Recipient{a, b}, Attempts: []submission.Attempt{{}}}, "unknown-transient", "b@contoso.example"},
		{submission.Receipt{Recipients: []smtp.Recipient{a, large}}, "message-too-large", "c@contoso.example"},
		{submission.Receipt{Recipients: []smtp.Recipient{b}, Attempts: []submission.Attempt{{Err: closed}}}, "connection-closed", ""},
	} {
		e, to := tt.r.Failure()
		code := ""
		if e != nil {
			code = diagnosis.Find(e.Symptom(), diagnosis.Facts{}).Code
		}
		if code != tt.code || to != tt.to {
			t.Errorf("%+v: %q to %q", tt.r.Recipients, code, to)
		}
	}
	if f := diagnosis.Find(session.SymptomOf(large), diagnosis.Facts{}); f.Class != diagnosis.ClassPermanent {
		t.Errorf("what is too large is %s", f.Class)
	}
}
