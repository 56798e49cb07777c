// Package graph is a stand-in for the part of Microsoft Graph by which an application
// renews its certificates without any permission: addKey and removeKey of an application,
// with the proof of possession that they want ("Generate proof of possession tokens for
// rolling keys"), and the application object, which takes a permission. It answers with
// Graph's words. What it adds reaches the token endpoint some requests later, as in the
// real directory.
package graph

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// Options describe the stand-in. Tenant and Tokens are required.
type Options struct {
	Tenant *tenant.Tenant
	Tokens *accesstoken.Issuer
	// Delay is how many token requests with a new certificate are refused.
	Delay int
	// Hook, when not nil, may answer a request (returns true).
	Hook func(w http.ResponseWriter, r *http.Request) bool
}

// Graph is a running stand-in. It is safe for concurrent use.
type Graph struct{ o Options }

// New returns a stand-in.
func New(o Options) *Graph { return &Graph{o} }

// Routes returns the handlers by their patterns of http.ServeMux. They take tokens, so
// they are for HTTPS only.
func (g *Graph) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /v1.0/applications/{id}/addKey":    g.guarded(g.addKey),
		"POST /v1.0/applications/{id}/removeKey": g.guarded(g.removeKey),
		"GET /v1.0/{application}":                g.guarded(g.application),
	}
}

// handler answers for the application that the caller's token is for.
type handler func(w http.ResponseWriter, r *http.Request, caller *tenant.Application, claims accesstoken.Claims)

// guarded wants a token for Graph.
func (g *Graph) guarded(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if hook := g.o.Hook; hook != nil && hook(w, r) {
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		claims, err := g.o.Tokens.Verify(token, time.Now())
		switch caller := g.o.Tenant.Application(claims.AppID); {
		case !ok || err != nil:
			refuse(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty or its signature is not valid.")
		case claims.Audience != tenant.AudienceGraph:
			refuse(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
		case caller == nil:
			refuse(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "The identity of the calling application could not be established.")
		default:
			h(w, r, caller, claims)
		}
	}
}

type addKeyRequest struct {
	KeyCredential struct {
		Type  string `json:"type"`
		Usage string `json:"usage"`
		Key   []byte `json:"key"`
	} `json:"keyCredential"`
	PasswordCredential *struct{} `json:"passwordCredential"`
	Proof              string    `json:"proof"`
}

func (g *Graph) addKey(w http.ResponseWriter, r *http.Request, caller *tenant.Application, _ accesstoken.Claims) {
	var request addKeyRequest
	if !g.rolls(w, r, caller, &request, func() string { return request.Proof }) {
		return
	}
	if k := request.KeyCredential; k.Type != "AsymmetricX509Cert" || k.Usage != "Verify" {
		refuse(w, http.StatusBadRequest, "Request_BadRequest", "New key credential must have type 'AsymmetricX509Cert' and usage 'Verify'.")
		return
	}
	c, err := caller.AddCertificateLate(request.KeyCredential.Key, g.o.Delay)
	if err != nil {
		refuse(w, http.StatusBadRequest, "Request_BadRequest", "Key credential value is not a valid certificate.")
		return
	}
	writeJSON(w, http.StatusOK, credentialOf(c))
}

func (g *Graph) removeKey(w http.ResponseWriter, r *http.Request, caller *tenant.Application, _ accesstoken.Claims) {
	var request struct {
		KeyID string `json:"keyId"`
		Proof string `json:"proof"`
	}
	if !g.rolls(w, r, caller, &request, func() string { return request.Proof }) {
		return
	}
	if !caller.RemoveKey(request.KeyID) {
		refuse(w, http.StatusBadRequest, "Request_BadRequest", "No credentials found to be removed.")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// rolls reads a request by which an application rolls its own keys, and checks its proof.
func (g *Graph) rolls(w http.ResponseWriter, r *http.Request, caller *tenant.Application, request any, proof func() string) bool {
	switch id := r.PathValue("id"); {
	case json.NewDecoder(r.Body).Decode(request) != nil:
		refuse(w, http.StatusBadRequest, "Request_BadRequest", "Unable to read JSON request payload.")
	case id != caller.RegistrationID():
		refuse(w, http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
	case !proves(caller, proof(), time.Now()):
		refuse(w, http.StatusUnauthorized, "Authentication_MissingOrMalformed", "Access Token missing or malformed.")
	default:
		return true
	}
	return false
}

// application is GET applications(appId='...').
func (g *Graph) application(w http.ResponseWriter, r *http.Request, caller *tenant.Application, claims accesstoken.Claims) {
	name := r.PathValue("application")
	id, ok := strings.CutPrefix(name, "applications(appId='")
	id, ends := strings.CutSuffix(id, "')")
	may := slices.ContainsFunc(claims.Roles, func(role string) bool { return strings.HasPrefix(role, "Application.Read") })
	switch {
	case !ok || !ends:
		refuse(w, http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+name+"'.")
	case !may:
		refuse(w, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	case !strings.EqualFold(id, caller.ClientID):
		refuse(w, http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
	default:
		list := []keyCredential{}
		for _, c := range caller.Certificates() {
			list = append(list, credentialOf(c))
		}
		writeJSON(w, http.StatusOK, struct {
			ID   string          `json:"id"`
			Keys []keyCredential `json:"keyCredentials"`
		}{caller.RegistrationID(), list})
	}
}

// keyCredential is Graph's. It never has the key in an answer.
type keyCredential struct {
	CustomKeyIdentifier string    `json:"customKeyIdentifier"`
	DisplayName         string    `json:"displayName"`
	EndDateTime         time.Time `json:"endDateTime"`
	KeyID               string    `json:"keyId"`
	StartDateTime       time.Time `json:"startDateTime"`
	Type                string    `json:"type"`
	Usage               string    `json:"usage"`
}

func credentialOf(c tenant.Certificate) keyCredential {
	return keyCredential{
		CustomKeyIdentifier: base64.StdEncoding.EncodeToString(shortThumbprint(c)), DisplayName: c.Subject.String(),
		EndDateTime: c.NotAfter, KeyID: c.KeyID, StartDateTime: c.NotBefore, Type: "AsymmetricX509Cert", Usage: "Verify",
	}
}

// refuse writes an error in Graph's shape.
func refuse(w http.ResponseWriter, status int, code, message string) {
	type inner struct {
		Date    string `json:"date"`
		Request string `json:"request-id"`
		Client  string `json:"client-request-id"`
	}
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   inner  `json:"innerError"`
	}
	id := tenant.NewGUID()
	writeJSON(w, status, struct {
		Error failure `json:"error"`
	}{failure{code, message, inner{time.Now().UTC().Format("2006-01-02T15:04:05"), id, id}}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
