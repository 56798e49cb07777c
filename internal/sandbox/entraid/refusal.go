package entraid

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// refusal is Entra's no.
type refusal struct {
	status int
	code   string // OAuth's "error"
	aadsts int
	text   string // after "AADSTSnnn: "
}

func badRequest(aadsts int, text string) refusal {
	return refusal{http.StatusBadRequest, "invalid_request", aadsts, text}
}

// refuse writes the error in Entra's shape.
func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, no refusal) {
	trace, correlation := tenant.NewGUID(), tenant.NewGUID()
	if id := r.Header.Get("Client-Request-Id"); len(id) == 36 {
		correlation = id // Entra takes the client's
	}
	timestamp := time.Now().UTC().Format("2006-01-02 15:04:05Z")
	body, err := json.Marshal(struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		Codes         []int  `json:"error_codes"`
		Timestamp     string `json:"timestamp"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
		URI           string `json:"error_uri"`
	}{
		no.code,
		fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s", no.aadsts, no.text, trace, correlation, timestamp),
		[]int{no.aadsts}, timestamp, trace, correlation,
		"https://login.microsoftonline.com/error?code=" + strconv.Itoa(no.aadsts),
	})
	if err != nil {
		http.Error(w, "encoding failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Ms-Request-Id", trace)
	noStore(w)
	w.WriteHeader(no.status)
	_, _ = w.Write(body)
}

const captivePage = `<!DOCTYPE html>
<html><head><title>Welcome to Fabrikam Guest WiFi</title></head>
<body><h1>Sign in to the network</h1><form action="/login" method="post"><input name="room"></form></body></html>
`

// act answers a token request with a fault; false lets it go on.
func (e *Endpoint) act(w http.ResponseWriter, r *http.Request, f fault.Fault, entry diagnosis.Entry) bool {
	if fault.Wait(r.Context(), f.Delay) != nil {
		return true
	}
	switch f.Name {
	case fault.ConnectionClosed, fault.ConnectionReset, fault.HalfReply:
		panic(http.ErrAbortHandler) // net/http's way to cut the connection
	case fault.ConnectionTimeout:
		_ = fault.Wait(r.Context(), fault.Silence)
		panic(http.ErrAbortHandler)
	case fault.Slow:
		return false
	case fault.TokenNotJSON:
		page(w, http.StatusOK, "text/html; charset=utf-8", captivePage)
	case fault.TokenThrottled:
		e.throttle(w)
	case fault.TokenUnavailable:
		page(w, http.StatusServiceUnavailable, "text/html", "<html><body><h1>Service Unavailable</h1></body></html>")
	case fault.TokenEmpty:
		page(w, http.StatusOK, "application/json; charset=utf-8", "")
	case fault.TokenMissing:
		page(w, http.StatusOK, "application/json; charset=utf-8", `{"token_type":"Bearer","expires_in":3599}`)
	default:
		e.refuseSample(w, r, entry)
	}
	return true
}

// throttle is Entra's 429 for client credentials: text, not JSON.
func (e *Endpoint) throttle(w http.ResponseWriter) {
	after := e.opts.RetryAfter
	if after == 0 {
		after = time.Minute
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(after.Round(time.Second)/time.Second)))
	page(w, http.StatusTooManyRequests, "text/plain", "Too Many Requests")
}

func page(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// refuseSample says what the catalogue has for an entry.
func (e *Endpoint) refuseSample(w http.ResponseWriter, r *http.Request, entry diagnosis.Entry) {
	text := strings.NewReplacer("{client-id}", r.PostForm.Get("client_id"), "{tenant-id}", r.PathValue("tenant"),
		"{object-id}", e.tenant.First().ObjectID).Replace(entry.Sample)
	switch {
	case entry.Token.HTTPStatus == http.StatusTooManyRequests && entry.Token.Error == "":
		e.throttle(w)
		return
	case entry.Token.Error == "":
		page(w, entry.Token.HTTPStatus, "text/html", text)
		return
	}
	text = strings.TrimPrefix(text, fmt.Sprintf("AADSTS%d: ", entry.Token.AADSTS))
	e.refuse(w, r, refusal{entry.Token.HTTPStatus, entry.Token.Error, entry.Token.AADSTS, text})
}
