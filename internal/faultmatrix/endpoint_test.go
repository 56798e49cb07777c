//go:build unix

package faultmatrix_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/tokencache"
)

// endpointFault is what the token endpoint does.
type endpointFault struct {
	name   string
	answer func(w http.ResponseWriter, raw func() net.Conn)
	passes bool // asking again is right
}

var tokenJSON = `{"token_type":"Bearer","expires_in":3599,"access_token":"` + accessToken + `"}`

// body answers with a status and a body.
func body(status int, kind, text string) func(http.ResponseWriter, func() net.Conn) {
	return func(w http.ResponseWriter, _ func() net.Conn) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// octets answers with what need not be HTTP, then does as then says.
func octets(text string, then func(net.Conn)) func(http.ResponseWriter, func() net.Conn) {
	return func(_ http.ResponseWriter, raw func() net.Conn) {
		conn := raw()
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
		if then != nil {
			then(conn)
		}
	}
}

func untilGone(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// dripping writes an octet at a time for ever.
func dripping(conn net.Conn) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
	}
}

func endpointFaults() []endpointFault {
	const html, js = "text/html", "application/json"
	header := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
	retry := func(status int) func(http.ResponseWriter, func() net.Conn) {
		return func(w http.ResponseWriter, raw func() net.Conn) {
			w.Header().Set("Retry-After", "0")
			body(status, js, `{"error":"temporarily_unavailable"}`)(w, raw)
		}
	}
	return []endpointFault{
		{"HTML", body(200, html, "<html>sign in to the guest network</html>"), false},
		{"HTML 403", body(403, html, "<html>blocked</html>"), false},
		{"nothing", body(200, js, ""), false},
		{"closed", octets("", nil), true},
		{"429", retry(429), true},
		{"429 later", func(w http.ResponseWriter, raw func() net.Conn) {
			w.Header().Set("Retry-After", "600")
			body(429, html, "slow down")(w, raw)
		}, false},
		{"503", retry(503), true},
		{"500", retry(500), true},
		{"200 without token", body(200, js, `{"token_type":"Bearer","expires_in":3599}`), false},
		{"200 with half the JSON", body(200, js, tokenJSON[:40]), false},
		{"400 invalid_client", body(400, js, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`), false},
		{"redirect", func(w http.ResponseWriter, _ func() net.Conn) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(307)
		}, false},
		{"2 MB", body(200, js, `{"x":"`+strings.Repeat("x", 2<<20)+`"}`), false},
		{"no HTTP", octets("220 mail.example ESMTP\r\n", nil), false},
		{"silent", octets("", untilGone), false},
		{"slow header", octets("HTTP/1.1 200 OK\r\nX: ", dripping), false},
		{"slow", octets(header, dripping), false},
		{"cut", octets(header+tokenJSON[:20], nil), true},
		{"reset", octets(header, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }), true},
	}
}

// endpoint is a token endpoint with a fault in its first answers.
type endpoint struct {
	*httptest.Server
	asked  atomic.Int32
	before atomic.Pointer[func()] // when set, is called before each answer
}

func newEndpoint(faulty int32, f endpointFault) *endpoint {
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if f := e.before.Load(); f != nil {
			(*f)()
		}
		if e.asked.Add(1) > faulty {
			body(200, "application/json", tokenJSON)(w, nil)
			return
		}
		f.answer(w, func() net.Conn {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			return conn
		})
	}))
	return e
}

// sharedTokens is a token cache over the endpoint, as the program has it.
type sharedTokens struct{ cache *tokencache.Cache }

func (t sharedTokens) Token(ctx context.Context) (bearer.Token, error) {
	entry, err := t.cache.Get(ctx)
	if err != nil {
		return bearer.Token{}, err
	}
	return bearer.Token{Access: secret.New(entry.Token.AccessToken), FromCache: entry.Cached}, nil
}

func (t sharedTokens) Invalidate(token bearer.Token) {
	t.cache.Invalidate(&oauth2.Token{AccessToken: token.Access.Reveal()})
}

// tokenCell is a fault of the endpoint, once or always, while the server is
// well or silent.
type tokenCell struct {
	endpointFault
	always bool
	server cell
}

func (c tokenCell) String() string {
	return fmt.Sprintf("token/%s/%s/%v", c.name, pick(c.always, "always", "once"), c.server)
}

func tokenCells() []tokenCell {
	var all []tokenCell
	for _, f := range endpointFaults() {
		for _, s := range []cell{{healthy: true, pipelining: true}, {stage: greeting, place: before, fault: silence}, {stage: auth, place: before, fault: fin}} {
			all = append(all, tokenCell{f, true, s}, tokenCell{f, false, s})
		}
	}
	return all
}

func TestTokenEndpoint(t *testing.T) {
	noLeak(t)
	all := tokenCells()
	if len(all) < 114 {
		t.Errorf("%d cells, want at least 114", len(all))
	}
	t.Logf("%d faults of the token endpoint x once, always x server well, silent, cut at AUTH", len(endpointFaults()))
	var results results
	inParallel(all, func(c tokenCell) { results.add(runTokenCell(c)) })
	results.report(t)
}

// runTokenCell runs a cell, with a longer deadline again when the machine was too
// slow for a short one.
func runTokenCell(c tokenCell) result {
	if !c.always && c.passes && c.server.fault != silence {
		return runToken(c, time.Minute)
	}
	if r := runToken(c, time.Second); len(r.wrong) == 0 {
		return r
	}
	return runToken(c, 10*time.Second) // nothing but it ends the run
}

func runToken(c tokenCell, limit time.Duration) result {
	res := result{name: c.String()}
	s, err := serve(&server{cell: c.server})
	if err != nil {
		return res.failed("%v", err)
	}
	faulty := int32(1)
	if c.always {
		faulty = 1 << 30
	}
	e := newEndpoint(faulty, c.endpointFault)
	defer e.Close()
	m, text, err := compose("a@contoso.example")
	if err != nil {
		return res.failed("%v", err)
	}
	defer m.Close()
	source := entra.New(entra.Options{
		TokenURL: e.URL, ClientID: "11111111-2222-3333-4444-555555555555", Credential: entra.Secret(secret.New(clientSecret)),
		Scopes: []string{"https://outlook.office365.com/.default"}, HTTPClient: entra.NewHTTPClient(nil, nil),
	})
	o := s.options()
	o.Tokens = sharedTokens{tokencache.New(source, tokencache.Options{})}
	start := time.Now()
	r := submission.Submit(context.Background(), o, m, submission.Policy{FirstWait: time.Millisecond, Deadline: start.Add(limit)})
	if res.took = time.Since(start); res.took > limit+30*time.Second {
		res = res.failed("took %v with a deadline of %v", res.took, limit)
	}
	if err := s.close(); err != nil {
		res = res.failed("%v", err)
	}
	res.attempts, res.outcome = len(r.Attempts), string(r.Recipients[0].Outcome)
	res.wrong = append(res.wrong, s.judgeDeadline(r, text)...)
	want := []smtp.Outcome{smtp.NotAttempted}
	switch {
	case !c.always && c.passes && c.server.fault != silence:
		want = []smtp.Outcome{smtp.Accepted}
	case !c.always:
		want = append(want, smtp.Accepted) // the next attempt asks again
	}
	if !right(r.Recipients, want) {
		res = res.failed("outcome %s, want one of %v; error: %v", res.outcome, want, r.Err())
	}
	if err := r.Err(); err != nil && strings.Contains(err.Error(), clientSecret) {
		res = res.failed("the error holds the client secret")
	}
	ofToken := func(a submission.Attempt) bool { return a.Err != nil && a.Err.Stage == smtp.StageToken }
	if c.always && c.server.healthy && c.passes && !slices.ContainsFunc(r.Attempts, ofToken) {
		res = res.failed("no attempt ended with an error of the token; the last: %v", r.Err())
	}
	return res
}

const clientSecret = "0123456789-cl13nt-s3cr3t"
