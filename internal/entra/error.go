package entra

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/presented"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// Error says why there is no token. Microsoft's "error codes reference" warns
// that AADSTS numbers and texts change: HTTPStatus and Code decide what to do,
// AADSTS explains it. Correlation ID, trace ID and timestamp are what
// Microsoft's support asks for.
type Error struct {
	HTTPStatus    int           `json:"http_status,omitempty"`       // 0 when no answer came
	Code          string        `json:"error,omitempty"`             // RFC 6749 5.2, such as "invalid_client"; "" when the answer is no OAuth error
	Description   string        `json:"error_description,omitempty"` // as sent, one line, without the IDs at its end
	SubError      string        `json:"suberror,omitempty"`
	AADSTS        []int         `json:"error_codes,omitempty"`
	CorrelationID string        `json:"correlation_id,omitempty"`
	TraceID       string        `json:"trace_id,omitempty"`
	Timestamp     string        `json:"timestamp,omitempty"` // as sent
	RetryAfter    time.Duration `json:"-"`                   // what the endpoint asks to wait; 0 when it did not say
	Attempts      int           `json:"attempts,omitempty"`  // requests made
	Host          string        `json:"host,omitempty"`      // of the token endpoint
	Body          string        `json:"body,omitempty"`      // start of an answer that is no OAuth error, as one line
	Err           error         `json:"-"`                   // the network's error, nil when an answer came
	// Presented is what a refused client showed as its proof, as far as everyone may see it.
	Presented *presented.Proof `json:"presented,omitempty"`

	kind string // what an answer is that is not an OAuth error, such as "text/html"
	json bool   // the answer is JSON all the same
	told bool   // Retry-After was sent

	unusable error // why the token that came cannot be used
	identity bool  // of a managed identity's endpoint
}

// What of an answer gets into an error, in octets.
const (
	maxText = 2 << 10
	maxBody = 256
)

// wireError is the endpoint's JSON. Every field is read leniently, so that one
// of an unexpected type does not hide the others.
type wireError struct {
	Error, Description, SubError, Timestamp, TraceID, CorrelationID string
	Codes                                                           []int
}

func (w *wireError) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	var message string // in its place at App Service
	for name, target := range map[string]any{
		"error": &w.Error, "error_description": &w.Description, "suberror": &w.SubError, "error_codes": &w.Codes,
		"message": &message, "timestamp": &w.Timestamp, "trace_id": &w.TraceID, "correlation_id": &w.CorrelationID,
	} {
		// A member that is absent or of another type leaves its field empty.
		_ = json.Unmarshal(fields[name], target)
	}
	w.Description = cmp.Or(w.Description, message)
	return nil
}

// failure reads what the endpoint said in place of a token.
func (r *recorder) failure(host string, hide func(string) string) *Error {
	var wire wireError
	if err := json.Unmarshal(r.body, &wire); err != nil {
		wire = wireError{}
	}
	// What no one sees goes first: it could be between the octets of the credential.
	clean := func(s string) string { return hide(oneLine(s[:min(len(s), maxText)])) }
	e := &Error{
		Host: host, HTTPStatus: r.status, Code: clean(wire.Error), SubError: clean(wire.SubError),
		Description: clean(sentences(wire.Description)), AADSTS: numbers(wire),
		CorrelationID: clean(wire.CorrelationID), TraceID: clean(wire.TraceID), Timestamp: clean(wire.Timestamp),
	}
	if e.TraceID == "" {
		e.TraceID = clean(r.header.Get("X-Ms-Request-Id"))
	}
	if e.Code == "" {
		e.kind, e.json = r.mediaType(), json.Valid(r.body)
		if !e.json || r.status/100 != 2 { // else it may hold a token under another name
			e.Body = cut(clean(string(r.body)), maxBody)
		}
	}
	e.RetryAfter, e.told = retryAfter(r.header)
	return e
}

// shortestRun is how many octets in a row of a credential are taken out of the
// endpoint's words.
const shortestRun = 8

// conceal returns what takes the credential out of a text, should an endpoint
// repeat it.
func conceal(params url.Values) func(string) string {
	var forms []string
	for name, values := range params {
		if name == paramAssertionType { // a URN that all know: without its words no refusal of an assertion can be read
			continue
		}
		for _, v := range values {
			if len(v) >= shortestRun { // a shorter one would tear other words apart
				forms = append(forms, secret.Writings(v)...)
			}
		}
	}
	words := secret.NewWords(forms...)
	return func(text string) string { return words.Hide(text, shortestRun) }
}

var (
	idsAtEnd = lazyregexp.New(`(?s)\s*Trace ID: .*$`)
	aadsts   = lazyregexp.New(`\bAADSTS([0-9]{4,9})\b`)
)

// sentences cuts the IDs, which have fields of their own.
func sentences(description string) string { return idsAtEnd.Get().ReplaceAllString(description, "") }

// numbers returns the AADSTS numbers; the text has one when error_codes is
// missing.
func numbers(w wireError) []int {
	if len(w.Codes) > 0 {
		return w.Codes
	}
	if m := aadsts.Get().FindStringSubmatch(w.Description); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return []int{n}
		}
	}
	return nil
}

// oneLine makes text of the network fit for a message: no control characters,
// no line breaks.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// cut shortens a text without tearing a character apart.
func cut(s string, limit int) string {
	return strings.ToValidUTF8(s[:min(len(s), limit)], "")
}

// Error returns one line: what happened, the first sentence of the
// description, and what support asks for.
func (e *Error) Error() string {
	switch {
	case e.unusable != nil:
		return fmt.Sprintf("entra: %s sent no usable token: %v%s", e.Host, e.unusable, e.details())
	case e.Err != nil:
		return fmt.Sprintf("entra: asking %s for a token: %v%s%s", e.Host, e.Err, diagnosis.IssuedBy(e.Err), e.details())
	case e.Code != "" && e.Refusal():
		return fmt.Sprintf("entra: token refused: %s%s", e.firstSentence(), e.details())
	case e.Throttled():
		said := ""
		if e.Description != "" {
			said = ": " + e.firstSentence()
		}
		return fmt.Sprintf("entra: %s throttles token requests%s%s", e.Host, said, e.details())
	case e.Code != "":
		return fmt.Sprintf("entra: no token for now: %s%s", e.firstSentence(), e.details())
	case e.identity && e.Description != "": // App Service has no code
		return fmt.Sprintf("entra: %s sent no token: %s%s", e.Host, e.firstSentence(), e.details())
	case e.HTTPStatus == http.StatusOK:
		return fmt.Sprintf("entra: %s sent no token but %s%s", e.Host, e.kind, e.details())
	}
	return fmt.Sprintf("entra: %s sent no OAuth answer but %s%s", e.Host, e.kind, e.details())
}

// firstSentence returns the description up to a period that ends a sentence,
// without the period.
func (e *Error) firstSentence() string {
	if e.Description == "" {
		return e.Code
	}
	first, _, _ := strings.Cut(e.Description, ". ")
	return strings.TrimSuffix(first, ".")
}

func (e *Error) details() string {
	var parts []string
	add := func(format string, arg any, present bool) {
		if present {
			parts = append(parts, fmt.Sprintf(format, arg))
		}
	}
	add("HTTP %d", e.HTTPStatus, e.HTTPStatus != 0)
	add("%s", e.Code, e.Code != "" && e.Description != "")
	add("retry after %v", e.RetryAfter, e.RetryAfter > 0)
	add("%d attempts", e.Attempts, e.Attempts > 1)
	add("correlation ID %s", e.CorrelationID, e.CorrelationID != "")
	add("trace ID %s", e.TraceID, e.TraceID != "")
	add("at %s", e.Timestamp, e.Timestamp != "")
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// errorJSON is an Error without its methods, and with seconds.
type errorJSON struct {
	*plainError
	Seconds int64 `json:"retry_after_seconds,omitempty"`
}

type plainError Error

// MarshalJSON encodes everything but Err, for --json and for a cache that
// remembers a refusal.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(errorJSON{(*plainError)(e), int64(e.RetryAfter / time.Second)})
}

// RestoreError returns the *Error that MarshalJSON encoded, nil when data is
// something else.
func RestoreError(data []byte) error {
	wire := errorJSON{plainError: &plainError{}}
	if err := json.Unmarshal(data, &wire); err != nil || wire.HTTPStatus == 0 {
		return nil
	}
	e := (*Error)(wire.plainError)
	e.RetryAfter = time.Duration(wire.Seconds) * time.Second
	return e
}
