package wallet

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/jsonanswer"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// maxRegistration bounds the body of a request, in octets.
const maxRegistration = 1 << 20

// Routes are handlers by their patterns of http.ServeMux. They change the credentials of the first application, make federated
// tokens, and trouble Azure's hosts; the issuer's are among them. They take secrets, so they are for HTTPS only; they
// take nothing but JSON, which the pages of other sites cannot send.
func (o *Wallet) Routes() map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{
		"GET /api/credentials":              o.listCredentials,
		"POST /api/credentials":             o.addCredential,
		"DELETE /api/credentials/{id}":      o.changeCredential((*keyring.Ring).Remove),
		"POST /api/credentials/{id}/expire": o.changeCredential((*keyring.Ring).Expire),
		"POST /api/id-token":                o.makeIDToken,
		"POST /api/azure-host":              o.troubleHost,
	}
	maps.Copy(routes, o.issuer.Routes())
	return routes
}

func (o *Wallet) listCredentials(w http.ResponseWriter, _ *http.Request) {
	jsonanswer.Write(w, http.StatusOK, map[string]any{"schema_version": 1, "registration_id": o.app.RegistrationID(), "credentials": o.Keys().Keys()})
}

// registration is a credential to register: one of its members, or subject with
// authority.
type registration struct {
	Secret      string         `json:"secret"`
	Certificate string         `json:"certificate"` // PEM
	Subject     string         `json:"subject"`     // common name of certificates that authority issued
	Authority   string         `json:"authority"`   // PEM
	Federated   *keyring.Trust `json:"federated"`
}

func (o *Wallet) addCredential(w http.ResponseWriter, r *http.Request) {
	var wanted registration
	if !readJSON(w, r, &wanted) {
		return
	}
	var key keyring.Key
	switch {
	case wanted.Secret != "":
		key = o.Keys().AddSecret(wanted.Secret)
	case wanted.Federated != nil:
		key = o.Keys().AddTrust(*wanted.Federated)
	case wanted.Certificate != "" || wanted.Subject != "":
		c, err := firstCertificate(wanted.Certificate + wanted.Authority)
		if err != nil {
			http.Error(w, "this is not a certificate in PEM", http.StatusBadRequest)
			return
		}
		if wanted.Subject != "" {
			key = o.Keys().AddSubject(wanted.Subject, c)
		} else {
			key = o.Keys().AddCertificate(c, time.Time{})
		}
	default:
		http.Error(w, "secret, certificate, subject and authority, or federated is missing", http.StatusBadRequest)
		return
	}
	jsonanswer.Write(w, http.StatusCreated, key)
}

// firstCertificate reads the first certificate of PEM.
func firstCertificate(text string) (*x509.Certificate, error) {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return x509.ParseCertificate(nil) // whose error says that there is none
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
}

// changeCredential does something to the credential of the path.
func (o *Wallet) changeCredential(change func(*keyring.Ring, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := change(o.Keys(), r.PathValue("id")); err != nil {
			http.Error(w, "no credential has this id", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// makeIDToken makes a federated token, a wrong one if asked to.
func (o *Wallet) makeIDToken(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Subject, Audience, Issuer string
		LifeSeconds               int `json:"life_seconds"`
	}
	if !readJSON(w, r, &wanted) {
		return
	}
	token, err := o.issuer.Token(idissuer.Claims{
		Subject: wanted.Subject, Audience: wanted.Audience, Issuer: wanted.Issuer, Life: time.Duration(wanted.LifeSeconds) * time.Second,
	})
	if err != nil {
		http.Error(w, "signing failed", http.StatusInternalServerError)
		return
	}
	jsonanswer.Write(w, http.StatusOK, map[string]string{"token": token})
}

// troubleHost has Azure's hosts answer with a status in place of a token.
func (o *Wallet) troubleHost(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ Status, Times int }
	if !readJSON(w, r, &wanted) {
		return
	}
	if wanted.Status < 400 || wanted.Status > 599 || wanted.Times < 0 {
		http.Error(w, "status is not an error of HTTP, or times is negative", http.StatusBadRequest)
		return
	}
	o.host.Answer(wanted.Status, wanted.Times)
	w.WriteHeader(http.StatusNoContent)
}

// readJSON reads the body; it answers and returns false when that cannot be done.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		http.Error(w, "the body is not application/json", http.StatusUnsupportedMediaType)
		return false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		http.Error(w, "the body is not the JSON that is wanted here", http.StatusBadRequest)
		return false
	}
	return true
}
