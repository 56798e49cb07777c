// Package graph renews the certificates of an application through Microsoft Graph, as the
// application itself: addKey and removeKey take a proof of possession in place of a
// permission (Microsoft Graph v1.0, "application: addKey", "application: removeKey",
// "Generate proof of possession tokens for rolling keys").
//
// Nothing is tried again here: a rotation that failed is run again. No redirect is
// followed, because that would send the token elsewhere, and at most 1 MiB of an answer is
// read. An [*Error] keeps what Graph said and never holds token or proof.
package graph

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/redact"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Limits of one request.
const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 1 << 20 // octets
	maxMessage     = 500     // octets of Graph's words that are kept
)

// Error is a request that Graph did not do.
type Error struct {
	Operation string // such as "addKey"
	Status    int    // of HTTP; 0 = no answer
	Code      string // Graph's, such as Authorization_RequestDenied
	Message   string // Graph's, without tokens
	RequestID string // for Microsoft's support
	Err       error  // without an answer
}

// Error says what was asked, and Graph's code and words.
func (e *Error) Error() string {
	if e.Err != nil {
		return "Microsoft Graph: " + e.Operation + ": " + e.Err.Error()
	}
	text := fmt.Sprintf("Microsoft Graph refused %s with HTTP %d", e.Operation, e.Status)
	for _, s := range []string{e.Code, e.Message} {
		if s != "" {
			text += ": " + s
		}
	}
	if e.RequestID != "" {
		text += " (request-id " + e.RequestID + ")"
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Symptom describes the error for the catalogue of failures.
func (e *Error) Symptom() diagnosis.Symptom {
	return diagnosis.Symptom{Stage: smtp.StageToken, Fault: diagnosis.FaultOf(e.Err), HTTPStatus: e.Status, Text: e.Error()}
}

// Temporary reports that the same request may be done later.
func (e *Error) Temporary() bool {
	return e.Status == 0 || e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// Denied reports that the application lacks the permission that the request takes.
func (e *Error) Denied() bool { return e.Code == "Authorization_RequestDenied" }

// BadProof reports that Graph did not take the proof of possession.
func (e *Error) BadProof() bool { return e.Code == "Authentication_MissingOrMalformed" }

// Gone reports that removeKey did not find the key.
func (e *Error) Gone() bool {
	found := strings.Contains(e.Message, "No credentials found") || e.Code == "Request_ResourceNotFound"
	return e.Operation == opRemove && found
}

// The operations, by Graph's names.
const (
	opAdd    = "addKey"
	opRemove = "removeKey"
	opRead   = "reading the application"
)

// Client asks Graph. It is safe for concurrent use.
type Client struct {
	Base  string // https://graph.microsoft.com, or that of another cloud; without a path
	HTTP  *http.Client
	Token func(context.Context) (secret.String, error) // an access token for Graph
}

// Key is a key credential of an application.
type Key struct {
	ID         string
	Thumbprint []byte // SHA-1
}

// Application is the object ID of the app registration with a client ID, and its keys. It
// takes a permission such as Application.Read.All: without it the *Error is Denied.
func (c *Client) Application(ctx context.Context, clientID string) (objectID string, keys []Key, err error) {
	var answer struct {
		ID   string `json:"id"`
		Keys []struct {
			CustomKeyIdentifier []byte `json:"customKeyIdentifier"`
			KeyID               string `json:"keyId"`
		} `json:"keyCredentials"`
	}
	path := "/v1.0/applications(appId='" + url.PathEscape(clientID) + "')?$select=id,keyCredentials"
	if err := c.do(ctx, opRead, http.MethodGet, path, nil, &answer); err != nil {
		return "", nil, err
	}
	for _, k := range answer.Keys {
		keys = append(keys, Key{k.KeyID, k.CustomKeyIdentifier})
	}
	return answer.ID, keys, nil
}

// AddKey adds the certificate to the app registration with that object ID. signer is a pair
// whose certificate is registered and valid. It returns the ID of the new key credential.
func (c *Client) AddKey(ctx context.Context, objectID string, signer *keypair.Pair, added *x509.Certificate) (keyID string, err error) {
	type credential struct {
		Type  string `json:"type"`
		Usage string `json:"usage"`
		Key   []byte `json:"key"`
	}
	var answer struct {
		KeyID string `json:"keyId"`
	}
	err = c.proven(ctx, opAdd, objectID, signer, func(proof string) any {
		return struct {
			Key      credential `json:"keyCredential"`
			Password *struct{}  `json:"passwordCredential"`
			Proof    string     `json:"proof"`
		}{credential{"AsymmetricX509Cert", "Verify", added.Raw}, nil, proof}
	}, &answer)
	return answer.KeyID, err
}

// RemoveKey removes a key credential. signer is as for AddKey. The *Error is Gone when there
// is no such key credential.
func (c *Client) RemoveKey(ctx context.Context, objectID string, signer *keypair.Pair, keyID string) error {
	return c.proven(ctx, opRemove, objectID, signer, func(proof string) any {
		return struct {
			KeyID string `json:"keyId"`
			Proof string `json:"proof"`
		}{keyID, proof}
	}, nil)
}

// proven makes a request with a proof. Microsoft's page named one audience until 2024, and
// names another one since: the second is tried when Graph does not take the first.
func (c *Client) proven(ctx context.Context, operation, objectID string, signer *keypair.Pair, body func(proof string) any, answer any) error {
	var err error
	for _, audience := range audiences() {
		var proof string
		if proof, err = newProof(signer, objectID, audience); err != nil {
			return err
		}
		err = c.do(ctx, operation, http.MethodPost, "/v1.0/applications/"+url.PathEscape(objectID)+"/"+operation, body(proof), answer)
		refused, ok := errors.AsType[*Error](err)
		if !ok {
			return err
		}
		refused.hide(proof)
		if !refused.BadProof() {
			return err
		}
	}
	return err
}

func (c *Client) do(ctx context.Context, operation, method, path string, body, answer any) error {
	token, err := c.Token(ctx)
	if err != nil {
		return fmt.Errorf("getting a token for Microsoft Graph: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("graph: encoding a request: %w", err)
		}
		text = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.Base+path, text)
	if err != nil {
		return &Error{Operation: operation, Err: errors.New("its address is not a URL")}
	}
	if request.URL.Scheme != "https" {
		return &Error{Operation: operation, Err: errors.New("its address does not begin with https://")}
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	client := *c.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return &Error{Operation: operation, Err: outer.Err} // whose text repeats the URL
	}
	if err != nil {
		return &Error{Operation: operation, Err: err}
	}
	defer response.Body.Close()
	err = read(response, operation, answer)
	if refused, ok := errors.AsType[*Error](err); ok {
		refused.hide(token.Reveal())
	}
	return err
}

// shortestRun is how many octets in a row of a token or a proof are taken out of Graph's
// words.
const shortestRun = 8

// hide takes a token or a proof out of what Graph said, in whole or in part.
func (e *Error) hide(value string) {
	words := secret.NewWords(secret.Writings(value)...)
	for _, text := range []*string{&e.Code, &e.Message, &e.RequestID} {
		*text = words.Hide(*text, shortestRun)
	}
}

func read(response *http.Response, operation string, answer any) error {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return &Error{Operation: operation, Err: fmt.Errorf("reading the answer: %w", err)}
	case len(data) > maxAnswer:
		return &Error{Operation: operation, Err: errors.New("the answer is longer than 1 MiB")}
	case response.StatusCode/100 != 2:
		return refusal(response.StatusCode, operation, data)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return &Error{Operation: operation, Err: errors.New("the answer is not JSON of the expected form")}
	}
	return nil
}

func refusal(status int, operation string, data []byte) *Error {
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Inner   struct {
				ID string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	_ = json.Unmarshal(data, &answer) // of a proxy's page nothing is kept
	a := answer.Error
	return &Error{Operation: operation, Status: status, Code: short(a.Code), Message: short(a.Message), RequestID: short(a.Inner.ID)}
}

// short is a text of Graph's without tokens, and without what no one sees, cut.
func short(text string) string {
	text = redact.Text(strings.Map(func(r rune) rune {
		if printable.Steers(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text))
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}
