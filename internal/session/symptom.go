package session

import (
	"errors"
	"net"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// This file alone says what a failure looks like to the catalogue, so that every
// verb gives it the same name: the receipt of send, what the outbox keeps, a
// notice, doctor.

// Symptom describes the error for the catalogue. Doubt comes before whatever kept
// the reply away, because "try again" is wrong then. A cause that describes itself,
// as the token endpoint's errors do, is asked first; of certificates that are not
// trusted, those of a TLS-inspecting proxy are told from the others.
func (e *Error) Symptom() diagnosis.Symptom {
	s := e.WithoutDoubt()
	if e.InDoubt {
		return diagnosis.Symptom{Stage: e.Stage, Fault: smtp.FaultInDoubt, Text: s.Text}
	}
	return s
}

// WithoutDoubt is Symptom for what broke the session, whether or not it left a
// message in doubt.
func (e *Error) WithoutDoubt() diagnosis.Symptom {
	s := e.plain()
	if s.Fault == smtp.FaultTLSUntrusted && diagnosis.Intercepted(e.host(), e) {
		s.Fault = smtp.FaultTLSIntercepted
	}
	return s
}

func (e *Error) plain() diagnosis.Symptom {
	var inner interface{ Symptom() diagnosis.Symptom }
	if e.Err != nil && errors.As(e.Err, &inner) {
		return inner.Symptom()
	}
	s := diagnosis.Symptom{Stage: e.Stage, Fault: e.Fault}
	s.Proxy, _ = errors.AsType[*diagnosis.ProxyError](e.Err)
	if !e.Reply.IsZero() {
		s.Code, s.Enhanced, s.Text = e.Reply.Code, e.Reply.Enhanced.String(), e.Reply.Text()
	} else if e.Err != nil {
		s.Text = e.Err.Error()
	}
	return s
}

// host is the SMTP server's name. It is "" for the token endpoint, whose errors do
// not tell it, and where a certificate for another name is another fault.
func (e *Error) host() string {
	if e.Stage == smtp.StageToken {
		return ""
	}
	host, _, err := net.SplitHostPort(e.Server)
	if err != nil {
		return ""
	}
	return host
}

// SymptomOf describes what decided the recipient's outcome: a reply, or Fault.
func SymptomOf(r smtp.Recipient) diagnosis.Symptom {
	return diagnosis.Symptom{
		Stage: r.Stage, Fault: r.Fault, Code: r.Reply.Code, Enhanced: r.Reply.Enhanced.String(), Text: r.Reply.Text(),
	}
}
