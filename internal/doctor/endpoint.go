package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/session"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// maxPage is how much of an answer is read that is looked at for its header.
const maxPage = 64 << 10

// endpoint is the token endpoint: its certificate, a token and its clock.
type endpoint struct {
	o      Options
	record *record

	host   string
	clock  clock
	access secret.String // the token
	graph  []string      // roles of the application in Microsoft Graph, when it was asked for
}

func newEndpoint(o Options, record *record) *endpoint {
	host, _ := hostAndPort(o.Token.TokenURL)
	return &endpoint{o: o, record: record, host: host}
}

// handshake makes one request that asks for nothing, for the certificate and
// the Date.
func (e *endpoint) handshake(ctx context.Context) {
	if e.o.Token.Elsewhere != nil || e.record.blocked(nameTLSToken, nameTCPToken) {
		return
	}
	c := Check{Name: nameTLSToken, Status: OK, Limit: e.o.Limit}
	t := transport(e.o.Token).Clone()
	started := time.Now()
	state, err := e.get(ctx, t)
	c.Took = time.Since(started)
	if err != nil {
		cause := failure(smtp.StageToken, err)
		if leaf := diagnosis.Presented(err); leaf != nil {
			c.Seen = fmt.Sprintf("%s (%v)", describe(leaf), err)
		}
		c = e.record.broke(c, cause)
		e.record.add(c)
		if cause.Fault == smtp.FaultTLSExpired {
			e.dateOfUnverified(ctx)
		}
		return
	}
	c.Seen = "none: plain HTTP to this machine"
	if state != nil {
		c.Seen = describeTLS(*state)
		if c.Notes = certificateNotes(e.host, state.PeerCertificates[0]); len(c.Notes) > 0 {
			c.Status = Warn
		}
	}
	e.record.add(c)
}

// get asks for the endpoint's page, which says no more than that it wants a
// POST, and keeps the Date.
func (e *endpoint) get(ctx context.Context, t *http.Transport) (*tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.o.Token.TokenURL, nil)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	response, err := t.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	e.clock.keep(response.Header)
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxPage))
	return response.TLS, nil
}

// dateOfUnverified asks for the Date alone when a certificate is out of its
// time: whether the certificate is old or this machine's clock is wrong is told
// by nothing else. Nothing is sent that is worth reading, and nothing is
// believed but the Date, which decides what is printed and no more.
func (e *endpoint) dateOfUnverified(ctx context.Context) {
	t := transport(e.o.Token).Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: exchange.MinTLS}
	}
	t.TLSClientConfig.InsecureSkipVerify = true
	_, _ = e.get(ctx, t) // without an answer the clock stays unknown
}

// dater keeps the Date of the token endpoint's answers.
type dater struct {
	base http.RoundTripper
	keep func(http.Header)
	mu   sync.Mutex
}

func (d *dater) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := d.base.RoundTrip(r)
	if err == nil {
		d.mu.Lock()
		d.keep(response.Header)
		d.mu.Unlock()
	}
	return response, err
}

// fetchToken asks for a new token, past every cache.
func (e *endpoint) fetchToken(ctx context.Context) {
	if e.record.blocked(nameToken, nameSettings, nameCredential, nameTLSToken) {
		return
	}
	c := Check{Name: nameToken, Status: OK, Limit: e.o.TokenLimit}
	started := time.Now()
	token, life, err := e.ask(ctx, e.o.Token.Scopes, e.o.TokenLimit)
	c.Took = time.Since(started)
	if err != nil {
		e.record.add(e.record.broke(c, failure(smtp.StageToken, err)))
		return
	}
	e.access = token
	c.Seen = fmt.Sprintf("fetched for %s, valid for %s", strings.Join(e.o.Token.Scopes, " "), minutes(life))
	e.record.add(c)
}

// ask is one request for a token, of which the endpoint's Date is kept.
func (e *endpoint) ask(ctx context.Context, scopes []string, limit time.Duration) (secret.String, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o := e.o.Token
	o.Scopes = scopes
	o.HTTPClient = &http.Client{Transport: &dater{base: transport(e.o.Token), keep: e.clock.keep}}
	token, err := entra.New(o).Token(lastCall{ctx, time.Now().Add(limit / 2)})
	if err != nil {
		return secret.String{}, 0, err
	}
	return secret.New(token.AccessToken), time.Until(token.Expiry), nil
}

// lastCall is a context that tells an earlier deadline than it keeps. Package
// entra begins no new attempt that would end after the deadline; the time up to
// the real one is for the last attempt to end by itself, since being cut off
// would hide what it had to say.
type lastCall struct {
	context.Context
	at time.Time
}

// Deadline returns when the last attempt may begin.
func (c lastCall) Deadline() (time.Time, bool) { return c.at, true }

// minutes prints a life.
func minutes(d time.Duration) string {
	return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
}

// askGraph finds out which permissions of Microsoft Graph the application has,
// when its token for Exchange shows none: Mail.Send of Graph in place of
// SMTP.SendAsApp of Exchange is the most frequent slip of the classic way, and
// only a token for Graph shows it. The token is read and dropped.
func (e *endpoint) askGraph(ctx context.Context) {
	if len(e.o.Token.Scopes) != 1 {
		return
	}
	u, err := url.Parse(e.o.Token.Scopes[0])
	if err != nil || exchange.GraphScope(u.Host) == "" {
		return
	}
	token, _, err := e.ask(ctx, []string{exchange.GraphScope(u.Host)}, e.o.Limit)
	if err != nil {
		return // it would only have been a hint
	}
	if claims, err := diagnosis.ReadClaims(token.Reveal()); err == nil {
		e.graph = claims.Roles
	}
}

// isRefusal reports the answer of Exchange that gives no reason.
func isRefusal(e *session.Error) bool { return e != nil && e.Reply.Code == 535 }
