package entraid

import (
	"encoding/json"
	"net/http"
	"net/url"
)

func (e *Endpoint) configuration(w http.ResponseWriter, r *http.Request) {
	if checkTenant(e.tenant, r.PathValue("tenant")) != nil {
		http.NotFound(w, r)
		return
	}
	base := (&url.URL{Scheme: "https", Host: r.Host, Path: "/" + e.tenant.ID}).String()
	writeJSON(w, map[string]any{
		"issuer":                                e.issuer(),
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize", // which MSAL wants to see, and there is none
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
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
