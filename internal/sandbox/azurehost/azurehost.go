// Package azurehost is the part of the sandbox that a program on a host in Azure asks for
// the token of a managed identity: the instance metadata service of a virtual machine
// (IMDS), the identity endpoint of App Service and Container Apps, and the agent of Azure
// Arc with its challenge. They are in clear, as Azure's are, and each wants its header.
//
// The identities are the tenant's applications: the first is the one that the system
// assigned, and each can be named by its client ID, its object ID, or a resource ID that
// ends with its name.
package azurehost

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/smtpsend/smtpsend/internal/sandbox/jsonanswer"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// The paths below the sandbox's URL. IMDS has its own at every host.
const (
	pathIMDS       = "/metadata/identity/oauth2/token"
	pathAppService = "/msi/token"
	pathArc        = "/arc/metadata/identity/oauth2/token"
)

// Mint makes a token for an application and a resource; ok is false when there is no such
// resource.
type Mint func(app *tenant.Application, resource string) (token string, expires time.Time, ok bool)

// Host is what the endpoints share. It is safe for concurrent use.
type Host struct {
	tenant *tenant.Tenant
	mint   Mint
	header string // what App Service wants to see
	arc    *arc

	mu     sync.Mutex
	status int // that is answered in place of a token
	times  int // how often
}

// New returns a host of the tenant, whose keys of Azure Arc go into the directory dir; ""
// is that of its agent where it can be written, else a directory of its own.
func New(t *tenant.Tenant, mint Mint, dir string) *Host {
	return &Host{tenant: t, mint: mint, header: rand.Text(), arc: newArc(dir)}
}

// Close removes what it wrote for Azure Arc.
func (h *Host) Close() error { return h.arc.close() }

// Routes returns the handlers by their patterns of http.ServeMux, which are served
// without TLS.
func (h *Host) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET " + pathIMDS: h.imds, "GET " + pathAppService: h.appService, "GET " + pathArc: h.azureArc,
		"GET " + pathIMDS + "/{$}": h.imds, // as @azure/identity has it
	}
}

// AppService are the variables of App Service and Container Apps; base is the sandbox's
// URL, without TLS.
func (h *Host) AppService(base string) []string {
	return []string{"IDENTITY_ENDPOINT=" + base + pathAppService, "IDENTITY_HEADER=" + h.header}
}

// Arc are the variables of Azure Arc.
func (h *Host) Arc(base string) []string {
	return []string{"IDENTITY_ENDPOINT=" + base + pathArc, "IMDS_ENDPOINT=" + base}
}

// ArcKeys is the directory of Azure Arc's keys. Its error is that of the file system.
func (h *Host) ArcKeys() (string, error) { return h.arc.open() }

// Answer has the next requests answered with an HTTP status, such as 404 while the
// service is being started, and 429.
func (h *Host) Answer(status, times int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status, h.times = status, times
}

// troubled answers in place of a token, if it was told to.
func (h *Host) troubled(w http.ResponseWriter) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.times == 0 {
		return false
	}
	h.times--
	if h.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	refuse(w, h.status, cmp.Or(map[int]string{
		http.StatusNotFound:        "not_found",
		http.StatusGone:            "gone",
		http.StatusTooManyRequests: "too_many_requests",
	}[h.status], "unknown"), http.StatusText(h.status))
	return true
}

// imds is the service of a virtual machine ("How to use managed identities for Azure
// resources on an Azure VM to acquire an access token").
func (h *Host) imds(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case h.troubled(w):
	case !strings.EqualFold(r.Header.Get("Metadata"), "true") || r.Header.Get("X-Forwarded-For") != "":
		refuse(w, http.StatusBadRequest, "invalid_request", "Required metadata header not specified")
	case q.Get("api-version") == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "Required query variable 'api-version' is missing")
	default:
		h.grant(w, q, "Identity not found")
	}
}

// appService is the endpoint of App Service, Functions and Container Apps ("How to use
// managed identities for App Service and Azure Functions").
func (h *Host) appService(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	right := subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Identity-Header")), []byte(h.header)) == 1
	switch {
	case h.troubled(w):
	case !right:
		jsonanswer.Write(w, http.StatusUnauthorized, map[string]any{"statusCode": http.StatusUnauthorized, "message": "The X-IDENTITY-HEADER is missing or wrong."})
	case q.Get("api-version") == "":
		jsonanswer.Write(w, http.StatusBadRequest, map[string]any{"statusCode": http.StatusBadRequest, "message": "The api-version is missing."})
	default:
		q.Set("object_id", cmp.Or(q.Get("principal_id"), q.Get("object_id")))
		q.Set("msi_res_id", cmp.Or(q.Get("mi_res_id"), q.Get("msi_res_id")))
		h.grant(w, q, "")
	}
}

// grant answers with a token, or says that there is no such identity or resource.
func (h *Host) grant(w http.ResponseWriter, q url.Values, notFound string) {
	app := h.identity(q)
	if app == nil {
		if notFound == "" {
			jsonanswer.Write(w, http.StatusBadRequest, map[string]any{
				"statusCode":    http.StatusBadRequest,
				"message":       "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
				"correlationId": uuid.NewString(),
			})
			return
		}
		refuse(w, http.StatusBadRequest, "invalid_request", notFound)
		return
	}
	resource := q.Get("resource")
	token, expires, ok := h.mint(app, resource)
	if !ok {
		refuse(w, http.StatusBadRequest, "invalid_resource", "AADSTS500011: The resource principal named "+resource+
			" was not found in the tenant named Contoso. This can happen if the application has not been installed by the administrator of the "+
			"tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.")
		return
	}
	answer := map[string]string{
		"access_token": token, "client_id": app.ClientID, "expires_in": strconv.Itoa(int(time.Until(expires).Seconds())),
		"expires_on": strconv.FormatInt(expires.Unix(), 10), "resource": resource, "token_type": "Bearer",
	}
	for _, name := range []string{"object_id", "msi_res_id"} {
		if q.Get(name) != "" {
			answer[name] = q.Get(name)
		}
	}
	jsonanswer.Write(w, http.StatusOK, answer)
}

// identity finds the application that a request names, nil when there is none.
func (h *Host) identity(q url.Values) *tenant.Application {
	return h.tenant.Find(func(a *tenant.Application) bool {
		client, object, resource := q.Get("client_id"), q.Get("object_id"), q.Get("msi_res_id")
		switch {
		case client != "":
			return strings.EqualFold(client, a.ClientID)
		case object != "":
			return strings.EqualFold(object, a.ObjectID)
		case resource != "":
			return strings.HasSuffix(strings.ToLower(resource), "/userassignedidentities/"+strings.ToLower(a.Name))
		}
		return true // the system's
	})
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	jsonanswer.Write(w, status, map[string]string{"error": code, "error_description": text})
}
