package entraid

import (
	"net/http"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/assertion"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// How an application proved who it is: the values of the claim appidacr.
const (
	acrSecret    = "1"
	acrAssertion = "2"
)

// checkCredential checks the secret or the assertion of a request, and says which.
func (e *Endpoint) checkCredential(r *http.Request, a *tenant.Application, now time.Time) (acr string, no *refusal) {
	switch form := r.PostForm.Get; {
	case a.Disabled:
		return "", &refusal{401, "unauthorized_client", 7000112, "Application '" + a.ClientID + "'(" + a.Name + ") is disabled."}
	case form("client_assertion") != "" && form("client_assertion_type") == assertionType:
		return acrAssertion, e.checkAssertion(r, a, now)
	case form("client_secret") == "":
		return "", &refusal{401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	}
	return acrSecret, checkSecret(a, r.PostForm.Get("client_secret"), now)
}

func checkSecret(a *tenant.Application, secret string, now time.Time) *refusal {
	key, ok := a.Keys.Secret(secret)
	switch {
	case !ok:
		return &refusal{401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is " +
			"the client secret value, not the client secret ID, for a secret added to app '" + a.ClientID + "'."}
	case now.After(key.End):
		return &refusal{401, "invalid_client", 7000222, "The provided client secret keys for app '" + a.ClientID + "' are expired. " +
			"Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate " +
			"credentials for added security: https://aka.ms/certCreds."}
	}
	return nil
}

func (e *Endpoint) checkAssertion(r *http.Request, a *tenant.Application, now time.Time) *refusal {
	var audiences []string
	for _, name := range []string{e.tenant.ID, e.tenant.Domain} {
		base := "https://" + r.Host + "/" + name
		audiences = append(audiences, base+"/oauth2/v2.0/token", base+"/v2.0")
	}
	no := e.proofs.Verify(assertion.Request{
		ClientID: a.ClientID, Name: a.Name, Keys: a.Keys, Assertion: r.PostForm.Get("client_assertion"), Audiences: audiences,
	}, now)
	if no == nil {
		return nil
	}
	return &refusal{no.Status, no.Code, no.AADSTS, no.Text}
}

// Mint makes a token for an application and a resource without a request, as Azure's
// hosts get one; ok is false when there is no such resource.
func (e *Endpoint) Mint(app *tenant.Application, resource string) (token string, expires time.Time, ok bool) {
	audience, no := checkScope(resource + "/.default")
	if no != nil {
		return "", expires, false
	}
	now, life := time.Now(), e.lifetime()
	token, err := e.tokens.Sign(e.claims(granted{app, audience, acrAssertion}, now, life))
	return token, now.Add(life), err == nil
}
