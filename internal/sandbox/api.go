package sandbox

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
)

// schemaVersion is that of the API's JSON.
const schemaVersion = 1

//go:embed inbox.html
var inboxHTML string

// handler routes requests. What shows or takes secrets and tokens is for TLS
// only; the rest is served in clear as well.
func (s *Sandbox) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /{tenant}/oauth2/v2.0/token", tlsOnly(s.tokenEndpoint))
	mux.Handle("GET /{tenant}/v2.0/.well-known/openid-configuration", tlsOnly(s.openIDConfiguration))
	mux.Handle("GET /{tenant}/discovery/v2.0/keys", tlsOnly(s.keys))
	mux.HandleFunc("GET /api/messages", s.apiList)
	mux.HandleFunc("DELETE /api/messages", s.apiClear)
	mux.HandleFunc("GET /api/messages/{id}", s.apiMessage)
	mux.HandleFunc("GET /api/messages/{id}/raw", s.apiRaw)
	inbox := template.Must(template.New("inbox").Parse(inboxHTML))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { s.inbox(w, inbox) })
	mux.HandleFunc("GET /messages/{id}", func(w http.ResponseWriter, r *http.Request) { s.inboxMessage(w, r, inbox) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.handling.TryRLock() {
			http.Error(w, "closing", http.StatusServiceUnavailable)
			return
		}
		defer s.handling.RUnlock()
		if !localHost(r.Host) {
			http.Error(w, "this host name is not the sandbox's", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// localHost keeps pages of other hosts out, whose name may have been made to
// resolve to this machine (DNS rebinding).
func localHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func tlsOnly(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !overTLS(r) {
			http.Error(w, "tokens are served by HTTPS only", http.StatusForbidden)
			return
		}
		h(w, r)
	})
}

func (s *Sandbox) openIDConfiguration(w http.ResponseWriter, r *http.Request) {
	if s.tenant.checkTenant(r.PathValue("tenant")) != nil {
		http.NotFound(w, r)
		return
	}
	base := (&url.URL{Scheme: "https", Host: r.Host, Path: "/" + s.tenant.id}).String()
	writeJSON(w, map[string]any{
		"issuer":                                "https://sts.windows.net/" + s.tenant.id + "/",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
		"response_types_supported":              []string{"token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (s *Sandbox) keys(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.tokens.jwks()) }

func (s *Sandbox) apiList(w http.ResponseWriter, _ *http.Request) {
	list := s.Messages()
	writeJSON(w, map[string]any{"schema_version": schemaVersion, "total": len(list), "messages": list})
}

func (s *Sandbox) apiClear(w http.ResponseWriter, _ *http.Request) {
	s.store.clear()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) apiMessage(w http.ResponseWriter, r *http.Request) {
	d, ok := s.detail(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, struct {
		SchemaVersion int `json:"schema_version"`
		detail
	}{schemaVersion, d})
}

func (s *Sandbox) apiRaw(w http.ResponseWriter, r *http.Request) {
	_, content, ok := s.store.open(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	defer content.Close()
	// Text, so that a browser shows it and never runs it.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.Copy(w, content)
}

func (s *Sandbox) detail(id string) (detail, bool) {
	m, content, ok := s.store.open(id)
	if !ok {
		return detail{}, false
	}
	defer content.Close()
	return readDetail(m, content), true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
}

// inboxPage is what inbox.html shows: a list or one message.
type inboxPage struct {
	SMTP     string
	Messages []Message
	Detail   *detail
}

func (s *Sandbox) inbox(w http.ResponseWriter, t *template.Template) {
	show(w, t, inboxPage{SMTP: s.SMTPAddr(), Messages: s.Messages()})
}

func (s *Sandbox) inboxMessage(w http.ResponseWriter, r *http.Request, t *template.Template) {
	d, ok := s.detail(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	show(w, t, inboxPage{SMTP: s.SMTPAddr(), Detail: &d})
}

// show allows the page its own style and the frame of a mail's HTML; nothing in
// a mail may run or load, and no other page may put this one into a frame.
func show(w http.ResponseWriter, t *template.Template, p inboxPage) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = t.Execute(w, p)
}
