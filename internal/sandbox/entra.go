package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenEndpoint is POST /{tenant}/oauth2/v2.0/token with the grant
// client_credentials.
func (s *Sandbox) tokenEndpoint(w http.ResponseWriter, r *http.Request) {
	s.stats.tokenRequests.Add(1)
	if hook := s.opts.TokenHook; hook != nil && hook(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, badRequest(900144, "The request body must contain the following parameter: 'grant_type'."))
		return
	}
	takeBasic(r)
	shift := time.Duration(0)
	if _, _, ok := s.faults.take(pointTokenDate, ""); ok {
		shift = 2 * time.Hour
	}
	w.Header().Set("Date", time.Now().Add(shift).UTC().Format(http.TimeFormat))
	if f, entry, ok := s.faults.take(string(smtp.StageToken), ""); ok && s.actToken(w, r, f, entry) {
		return
	}
	app, audience, refusal := s.tenant.grant(r.PathValue("tenant"), r.PostForm.Get)
	if refusal != nil {
		s.refuse(w, r, *refusal)
		return
	}
	s.issue(w, r, app, audience, time.Now().Add(shift))
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
func (t *tenant) grant(tenantID string, form func(string) string) (*Application, string, *refusal) {
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if form(name) == "" {
			r := badRequest(900144, "The request body must contain the following parameter: '"+name+"'.")
			return nil, "", &r
		}
	}
	if r := t.checkTenant(tenantID); r != nil {
		return nil, "", r
	}
	if grant := form("grant_type"); grant != "client_credentials" {
		return nil, "", &refusal{400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '" + grant + "'."}
	}
	app := t.app(form("client_id"))
	if app == nil {
		return nil, "", &refusal{400, "unauthorized_client", 700016, "Application with identifier '" + form("client_id") +
			"' was not found in the directory 'Contoso'. This can happen if the application has not been installed by the administrator " +
			"of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."}
	}
	if r := app.checkCredential(form); r != nil {
		return nil, "", r
	}
	audience, r := checkScope(form("scope"))
	return app, audience, r
}

func (t *tenant) checkTenant(id string) *refusal {
	switch {
	case strings.EqualFold(id, t.id), strings.EqualFold(id, t.domain):
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

func (a *Application) checkCredential(form func(string) string) *refusal {
	switch secret := form("client_secret"); {
	case a.Disabled:
		return &refusal{401, "unauthorized_client", 7000112, "Application '" + a.ClientID + "'(" + a.Name + ") is disabled."}
	case form("client_assertion") != "" && form("client_assertion_type") == assertionType:
		return &refusal{401, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not " +
			"registered on application. [Reason - The key was not found.]"}
	case secret == "":
		return &refusal{401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case !a.hasSecret(secret):
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
	case isExchange(resource), resource == audienceGraph:
		return resource, nil
	}
	return "", &refusal{400, "invalid_resource", 500011, "The resource principal named " + resource + " was not found in the tenant " +
		"named Contoso. This can happen if the application has not been installed by the administrator of the tenant or consented to by " +
		"any user in the tenant. You might have sent your authentication request to the wrong tenant."}
}

// lifetime is random between 60 and 90 minutes, as Microsoft documents it.
func (s *Sandbox) lifetime() time.Duration {
	if s.opts.TokenLifetime > 0 {
		return s.opts.TokenLifetime
	}
	extra, _ := rand.Int(rand.Reader, big.NewInt(30*60)) // never fails
	return time.Hour + time.Duration(extra.Int64())*time.Second
}

func (s *Sandbox) issue(w http.ResponseWriter, r *http.Request, app *Application, audience string, now time.Time) {
	life := s.lifetime()
	f, _, faulty := s.faults.take(pointTokenGrant, "")
	switch {
	case faulty && f.Name == faultTokenShort:
		life = 10 * time.Minute
	case faulty && f.Name == faultTokenExpired:
		now = now.Add(-life - time.Hour)
	}
	token, err := s.tokens.sign(s.claims(app, audience, now, life))
	if err != nil {
		http.Error(w, "signing failed", http.StatusInternalServerError)
		return
	}
	seconds := int(life/time.Second) - 1
	var expiresIn any = seconds
	if faulty && f.Name == faultExpiresInString {
		expiresIn = strconv.Itoa(seconds)
	}
	s.log.LogAttrs(r.Context(), slog.LevelDebug, "token issued", slog.String("client_id", app.ClientID))
	body, err := json.Marshal(map[string]any{
		"token_type": "Bearer", "expires_in": expiresIn, "ext_expires_in": expiresIn, "access_token": token,
	})
	if err != nil {
		http.Error(w, "encoding failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	noStore(w)
	if faulty && f.Name == faultTokenCut {
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
func (s *Sandbox) claims(app *Application, audience string, now time.Time, life time.Duration) claims {
	roles := app.rolesFor(audience)
	if app.Audience != "" {
		audience, roles = app.Audience, app.rolesFor(app.Audience)
	}
	issuer := "https://sts.windows.net/" + s.tenant.id + "/"
	return claims{
		Audience: audience, Issuer: issuer, IDP: issuer,
		IssuedAt: now.Add(-5 * time.Minute).Unix(), NotBefore: now.Add(-5 * time.Minute).Unix(), Expires: now.Add(life).Unix(),
		AIO: encode(randomBytes(30)), RH: encode(randomBytes(24)), TokenID: encode(randomBytes(16)),
		AppName: app.Name, AppID: app.ClientID, AppIDACR: "1", IDType: "app",
		ObjectID: app.ObjectID, Subject: app.ObjectID, TenantID: s.tenant.id, Roles: roles, Version: "1.0",
	}
}

// newHTTPServer serves everything that is not SMTP.
func (s *Sandbox) newHTTPServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
}

type connKey struct{}

// overTLS reports whether the request came through TLS.
func overTLS(r *http.Request) bool {
	c, ok := r.Context().Value(connKey{}).(*sniffConn)
	return ok && c.secure()
}
