// Package entraid is a stand-in for Microsoft Entra ID: the token endpoint with
// the grant client_credentials, the key set that verifies its tokens, and their
// place in the OpenID configuration. It refuses in Entra's order and with Entra's
// words, and acts out the faults of stage "token".
package entraid

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Options describe an endpoint. Tenant, Faults, Tokens and Logger are required.
type Options struct {
	Tenant *tenant.Tenant
	Faults *fault.Set
	Tokens *accesstoken.Issuer
	Logger *slog.Logger

	TokenLifetime time.Duration // 0: random, 60 to 90 minutes
	RetryAfter    time.Duration // in the 429; 0: 60 s
	// Hook, when not nil, may answer a token request (returns true).
	Hook func(w http.ResponseWriter, r *http.Request) bool
}

// Endpoint is a running stand-in. Its methods are safe for concurrent use.
type Endpoint struct {
	opts     Options
	tenant   *tenant.Tenant
	faults   *fault.Set
	tokens   *accesstoken.Issuer
	log      *slog.Logger
	requests atomic.Int64
}

// New returns an endpoint.
func New(o Options) *Endpoint {
	return &Endpoint{opts: o, tenant: o.Tenant, faults: o.Faults, tokens: o.Tokens, log: o.Logger}
}

// Requests counts the POSTs to the token endpoint, refused ones included.
func (e *Endpoint) Requests() int64 { return e.requests.Load() }

// Routes returns the handlers by their patterns of http.ServeMux. They show and
// take secrets and tokens, so they are for HTTPS only.
func (e *Endpoint) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /{tenant}/oauth2/v2.0/token":                    e.token,
		"GET /{tenant}/v2.0/.well-known/openid-configuration": e.configuration,
		"GET /{tenant}/discovery/v2.0/keys":                   e.keys,
	}
}

// token is POST /{tenant}/oauth2/v2.0/token with the grant client_credentials.
func (e *Endpoint) token(w http.ResponseWriter, r *http.Request) {
	e.requests.Add(1)
	if hook := e.opts.Hook; hook != nil && hook(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		e.refuse(w, r, badRequest(900144, "The request body must contain the following parameter: 'grant_type'."))
		return
	}
	takeBasic(r)
	shift := time.Duration(0)
	if _, _, ok := e.faults.Take(fault.PointTokenDate, ""); ok {
		shift = 2 * time.Hour
	}
	w.Header().Set("Date", time.Now().Add(shift).UTC().Format(http.TimeFormat))
	if f, entry, ok := e.faults.Take(fault.Point(smtp.StageToken), ""); ok && e.act(w, r, f, entry) {
		return
	}
	app, audience, refusal := grant(e.tenant, r.PathValue("tenant"), r.PostForm.Get)
	if refusal != nil {
		e.refuse(w, r, *refusal)
		return
	}
	e.issue(w, r, app, audience, time.Now().Add(shift))
}

// takeBasic puts id and secret of the Authorization header into the form (RFC
// 6749 2.3.1), which Entra takes in both places.
func takeBasic(r *http.Request) {
	id, secret, _ := r.BasicAuth()
	for name, value := range map[string]string{"client_id": id, "client_secret": secret} {
		if plain, err := url.QueryUnescape(value); err == nil && plain != "" && r.PostForm.Get(name) == "" {
			r.PostForm.Set(name, plain)
		}
	}
}

// grant checks a token request in Entra's order: parameters, tenant, client,
// credential, scope.
func grant(t *tenant.Tenant, tenantID string, form func(string) string) (*tenant.Application, string, *refusal) {
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if form(name) == "" {
			r := badRequest(900144, "The request body must contain the following parameter: '"+name+"'.")
			return nil, "", &r
		}
	}
	if r := checkTenant(t, tenantID); r != nil {
		return nil, "", r
	}
	if grant := form("grant_type"); grant != "client_credentials" {
		return nil, "", &refusal{400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '" + grant + "'."}
	}
	app := t.Application(form("client_id"))
	if app == nil {
		return nil, "", &refusal{400, "unauthorized_client", 700016, "Application with identifier '" + form("client_id") +
			"' was not found in the directory 'Contoso'. This can happen if the application has not been installed by the administrator " +
			"of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."}
	}
	if r := checkCredential(app, form); r != nil {
		return nil, "", r
	}
	audience, r := checkScope(form("scope"))
	return app, audience, r
}

func checkTenant(t *tenant.Tenant, id string) *refusal {
	switch {
	case strings.EqualFold(id, t.ID), strings.EqualFold(id, t.Domain):
		return nil
	case id == "common", id == "consumers", id == "organizations":
		return &refusal{400, "invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints. " +
			"Please use the /organizations or tenant-specific endpoint."}
	case len(id) != 36 && !strings.Contains(id, "."):
		return &refusal{400, "invalid_request", 900023, "Specified tenant identifier '" + id +
			"' is neither a valid DNS name, nor a valid external domain."}
	}
	return &refusal{400, "invalid_request", 90002, "Tenant '" + id + "' not found. Check to make sure you have the correct tenant ID " +
		"and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active " +
		"subscriptions for the tenant."}
}

func checkCredential(a *tenant.Application, form func(string) string) *refusal {
	switch secret := form("client_secret"); {
	case a.Disabled:
		return &refusal{401, "unauthorized_client", 7000112, "Application '" + a.ClientID + "'(" + a.Name + ") is disabled."}
	case form("client_assertion") != "" && form("client_assertion_type") == assertionType:
		return checkAssertion(a, form("client_assertion"))
	case secret == "":
		return &refusal{401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case !a.HasSecret(secret):
		return &refusal{401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is " +
			"the client secret value, not the client secret ID, for a secret added to app '" + a.ClientID + "'."}
	case a.SecretExpired:
		return &refusal{401, "invalid_client", 7000222, "The provided client secret keys for app '" + a.ClientID + "' are expired. " +
			"Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate " +
			"credentials for added security: https://aka.ms/certCreds."}
	}
	return nil
}

// checkScope turns "{resource}/.default" into the token's audience.
func checkScope(scope string) (audience string, r *refusal) {
	resource, ok := strings.CutSuffix(scope, "/.default")
	switch {
	case !ok:
		return "", &refusal{400, "invalid_scope", 1002012, "The provided value for scope " + scope + " is not valid. Client credential " +
			"flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."}
	case tenant.IsExchange(resource), resource == tenant.AudienceGraph:
		return resource, nil
	}
	return "", &refusal{400, "invalid_resource", 500011, "The resource principal named " + resource + " was not found in the tenant " +
		"named Contoso. This can happen if the application has not been installed by the administrator of the tenant or consented to by " +
		"any user in the tenant. You might have sent your authentication request to the wrong tenant."}
}

// lifetime is random between 60 and 90 minutes, as Microsoft documents it.
func (e *Endpoint) lifetime() time.Duration {
	if e.opts.TokenLifetime > 0 {
		return e.opts.TokenLifetime
	}
	extra, _ := rand.Int(rand.Reader, big.NewInt(30*60)) // never fails
	return time.Hour + time.Duration(extra.Int64())*time.Second
}

func (e *Endpoint) issue(w http.ResponseWriter, r *http.Request, app *tenant.Application, audience string, now time.Time) {
	life := e.lifetime()
	f, _, faulty := e.faults.Take(fault.PointTokenGrant, "")
	switch {
	case faulty && f.Name == fault.TokenShort:
		life = 10 * time.Minute
	case faulty && f.Name == fault.TokenExpired:
		now = now.Add(-life - time.Hour)
	}
	token, err := e.tokens.Sign(e.claims(app, audience, now, life))
	if err != nil {
		http.Error(w, "signing failed", http.StatusInternalServerError)
		return
	}
	seconds := int(life/time.Second) - 1
	var expiresIn any = seconds
	if faulty && f.Name == fault.ExpiresInString {
		expiresIn = strconv.Itoa(seconds)
	}
	e.log.LogAttrs(r.Context(), slog.LevelDebug, "token issued", slog.String("client_id", app.ClientID))
	body, err := json.Marshal(map[string]any{
		"token_type": "Bearer", "expires_in": expiresIn, "ext_expires_in": expiresIn, "access_token": token,
	})
	if err != nil {
		http.Error(w, "encoding failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	noStore(w)
	if faulty && f.Name == fault.TokenCut {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
}

// claims of a v1.0 token, five minutes valid before its issue as Entra has it.
func (e *Endpoint) claims(app *tenant.Application, audience string, now time.Time, life time.Duration) accesstoken.Claims {
	roles := app.RolesFor(audience)
	if app.Audience != "" {
		audience, roles = app.Audience, app.RolesFor(app.Audience)
	}
	return accesstoken.Claims{
		Audience: audience, Issuer: e.issuer(), IDP: e.issuer(),
		IssuedAt: now.Add(-5 * time.Minute).Unix(), NotBefore: now.Add(-5 * time.Minute).Unix(), Expires: now.Add(life).Unix(),
		AppName: app.Name, AppID: app.ClientID, AppIDACR: "1", IDType: "app",
		ObjectID: app.ObjectID, Subject: app.ObjectID, TenantID: e.tenant.ID, Roles: roles, Version: "1.0",
	}
}

// issuer is the iss of v1.0 tokens.
func (e *Endpoint) issuer() string { return "https://sts.windows.net/" + e.tenant.ID + "/" }

func (e *Endpoint) configuration(w http.ResponseWriter, r *http.Request) {
	if checkTenant(e.tenant, r.PathValue("tenant")) != nil {
		http.NotFound(w, r)
		return
	}
	base := (&url.URL{Scheme: "https", Host: r.Host, Path: "/" + e.tenant.ID}).String()
	writeJSON(w, map[string]any{
		"issuer":                                e.issuer(),
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
		"response_types_supported":              []string{"token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (e *Endpoint) keys(w http.ResponseWriter, _ *http.Request) { writeJSON(w, e.tokens.JWKS()) }

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
}
