package entra

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Symptom describes the error for the catalogue.
func (e *Error) Symptom() diagnosis.Symptom {
	s := diagnosis.Symptom{
		Stage: smtp.StageToken, Text: e.Description,
		HTTPStatus: e.HTTPStatus, OAuthError: e.Code, AADSTS: e.AADSTS, Proof: e.Presented,
	}
	switch {
	case e.unusable != nil:
		s.Fault, s.Text = cmp.Or(diagnosis.FaultOf(e.unusable), smtp.FaultTokenUnusable), e.unusable.Error()
	case e.Err != nil && e.identity:
		s.Fault, s.Text = smtp.FaultManagedIdentity, e.Err.Error()
	case e.identity && (e.HTTPStatus == http.StatusNotFound || e.HTTPStatus == http.StatusGone):
		// No longer just being started, since it was asked again: other clouds answer so at
		// the address of a virtual machine.
		s.Fault = smtp.FaultManagedIdentity
	case e.Err != nil:
		s.Fault, s.Text = diagnosis.FaultOf(e.Err), e.Err.Error()
		s.Proxy, _ = errors.AsType[*diagnosis.ProxyError](e.Err)
	case e.Code == "":
		s.Text = e.Body
		// Throttling answers in plain text, and a 5xx often comes from a proxy
		// of Entra itself; a page in place of a token comes from someone else, and
		// so does JSON that is granted and holds no token.
		if e.HTTPStatus != http.StatusTooManyRequests && e.HTTPStatus < 500 && (!e.json || e.HTTPStatus < 300) {
			s.Fault = smtp.FaultTokenNotJSON
		}
	}
	return s
}
