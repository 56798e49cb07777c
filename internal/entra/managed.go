package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// identityTimeout bounds one request for a managed identity's token: the answer comes
// from the same host or its hypervisor, or no one answers.
const identityTimeout = 5 * time.Second

// The API versions that are asked, which each host has had for years.
const (
	versionIMDS       = "2018-02-01"
	versionAppService = "2019-08-01"
	versionArc        = "2020-06-01"
)

// ManagedIdentity is the identity that Azure gives to a host: no credential is kept on
// it. ("How to use managed identities for Azure resources on an Azure VM to acquire an
// access token"; "How to use managed identities for App Service and Azure Functions";
// "Authenticate against Azure resources with Azure Arc-enabled servers".)
type ManagedIdentity struct {
	// Endpoint is the URL that is asked. For a virtual machine it has no path.
	Endpoint string
	// Header, when set, is sent as X-IDENTITY-HEADER: App Service and Container Apps.
	Header secret.String
	// Arc says that the host is one of Azure Arc, whose answer names a file that only
	// root and the agent's group can read.
	Arc bool
	// Name and Value are the parameter that names a user-assigned identity, such as
	// client_id; "" for the one that the system assigned.
	Name, Value string

	// ArcKeys is the directory that Arc's file must be in; "" is the agent's.
	ArcKeys string
}

// EndpointError says why the endpoint of a managed identity is not asked.
type EndpointError struct {
	Predicate string // of the endpoint
}

// Error is a sentence.
func (e *EndpointError) Error() string {
	return "entra: the endpoint of the managed identity " + e.Predicate
}

// Fault is what the catalogue of failures calls it.
func (*EndpointError) Fault() smtp.Fault { return smtp.FaultIdentityEndpoint }

func (m ManagedIdentity) ask(ctx context.Context, client *http.Client, scopes []string) (*oauth2.Token, error) {
	at, err := m.url(scopes)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(m.Header.Reveal(), unicode.IsControl) {
		return nil, &EndpointError{"wants a header with a line break or another control character in it"}
	}
	header := http.Header{}
	if m.Header.IsZero() {
		header.Set("Metadata", "true")
	} else {
		header.Set("X-Identity-Header", m.Header.Reveal())
	}
	answer, err := m.get(ctx, client, at, header)
	if err != nil {
		return nil, err
	}
	if m.Arc {
		if answer.status != http.StatusUnauthorized {
			return nil, m.failure(answer, at.Host, header)
		}
		key, err := readArcKey(ctx, answer.header.Get("Www-Authenticate"), m.ArcKeys)
		if err != nil {
			return nil, &ArcError{at.Host, err}
		}
		header.Set("Authorization", "Basic "+key.Reveal())
		if answer, err = m.get(ctx, client, at, header); err != nil {
			return nil, err
		}
	}
	if answer.status != http.StatusOK {
		return nil, m.failure(answer, at.Host, header)
	}
	return m.token(answer, at.Host, header)
}

// url is what is asked. What goes without TLS stays on this host and its link.
func (m ManagedIdentity) url(scopes []string) (*url.URL, error) {
	at, err := url.Parse(m.Endpoint)
	if err != nil || at.Host == "" {
		return nil, &EndpointError{"is not a URL with a host"}
	}
	if at.Scheme != "https" && !(at.Scheme == "http" && nearby(at.Hostname())) {
		return nil, &EndpointError{"at " + at.Host + " is neither https nor on this host"}
	}
	version := versionIMDS
	switch {
	case !m.Header.IsZero():
		version = versionAppService
	case m.Arc:
		version = versionArc
	default:
		at.Path = "/metadata/identity/oauth2/token"
	}
	q := at.Query()
	q.Set("api-version", version)
	q.Set("resource", strings.TrimSuffix(strings.Join(scopes, " "), "/.default"))
	if m.Name != "" {
		q.Set(m.parameter(), m.Value)
	}
	at.RawQuery = q.Encode()
	return at, nil
}

// parameter is Name as the host has it.
func (m ManagedIdentity) parameter() string {
	isService := !m.Header.IsZero()
	switch {
	case isService && m.Name == "msi_res_id":
		return "mi_res_id"
	case isService && m.Name == "object_id":
		return "principal_id"
	}
	return m.Name
}

// nearby reports this host, or an address of its link (RFC 3927), as IMDS has it.
func nearby(host string) bool {
	a, err := netip.ParseAddr(host)
	return loopback.Host(host) || (err == nil && a.Unmap().IsLinkLocalUnicast())
}

// get asks, and keeps the answer.
func (m ManagedIdentity) get(ctx context.Context, client *http.Client, at *url.URL, header http.Header) (*recorder, error) {
	limit := min(identityTimeout, requestLimit(ctx))
	requestCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(requestCtx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("entra: asking for a managed identity: %w", err)
	}
	request.Header = header.Clone()
	answer := &recorder{base: client.Transport}
	s := &Source{host: at.Host}
	response, err := (&http.Client{Transport: answer, CheckRedirect: stay}).Do(request)
	if err != nil {
		failed := s.networkError(ctx, requestCtx, limit, err)
		failed.identity = true
		return nil, failed
	}
	return answer, response.Body.Close()
}

// failure is what a host says in place of a token. It is asked again after 404 and 410
// too: the identity endpoint is being started, or the identity was just assigned.
func (m ManagedIdentity) failure(answer *recorder, host string, sent http.Header) *Error {
	_, key, _ := strings.Cut(sent.Get("Authorization"), " ")
	e := answer.failure(host, conceal(url.Values{"header": {m.Header.Reveal()}, "key": {key}}))
	e.identity = true
	return e
}

// token reads the answer. expires_on is a text of seconds since 1970 at most hosts.
func (m ManagedIdentity) token(answer *recorder, host string, sent http.Header) (*oauth2.Token, error) {
	var wire map[string]json.RawMessage
	if err := json.Unmarshal(answer.body, &wire); err != nil || wire["access_token"] == nil {
		return nil, m.failure(answer, host, sent)
	}
	text := func(name string) (s string) {
		if json.Unmarshal(wire[name], &s) != nil {
			s = string(wire[name])
		}
		return s
	}
	// An old agent of Arc does not know user-assigned identities, and answers with the
	// token of another one: a new one says whose the token is.
	if m.Arc && m.Name != "" && !strings.EqualFold(text(m.Name), m.Value) {
		return nil, &Error{Host: host, HTTPStatus: answer.status, unusable: errors.New("it may be of another identity: Azure Arc's agent did not confirm " + m.Name + "; a newer agent does")}
	}
	token := &oauth2.Token{AccessToken: text("access_token"), TokenType: "Bearer"}
	if seconds, err := strconv.ParseInt(text("expires_on"), 10, 64); err == nil && seconds > 0 {
		token.Expiry = time.Unix(seconds, 0)
	} else if seconds, err := strconv.ParseInt(text("expires_in"), 10, 32); err == nil && seconds > 0 {
		token.Expiry = time.Now().Add(time.Duration(seconds) * time.Second)
	}
	if err := usable(token); err != nil {
		return nil, &Error{Host: host, HTTPStatus: answer.status, unusable: err}
	}
	return token, nil
}
