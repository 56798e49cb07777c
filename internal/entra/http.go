package entra

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/loopback"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// maxAnswer is how much of an answer is read. A token is a few kB.
const maxAnswer = 1 << 20

var (
	errAnswerTooLong = errors.New("answer is longer than 1 MiB")
	errNoStatus      = errors.New("answer has no HTTP status")
)

// NewHTTPClient returns a client for token endpoints. Nil roots are the
// system's; a nil proxy means the proxy variables of the environment, as
// http.ProxyFromEnvironment reads them. What goes without TLS goes by no proxy,
// and localhost is this machine, whatever a resolver says of it: else the secret
// would leave the machine in the clear. Connections are not kept, since the next
// request is due in an hour, so no goroutine outlives a request.
func NewHTTPClient(roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) *http.Client {
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	return &http.Client{CheckRedirect: stay, Transport: &http.Transport{
		Proxy:                  onlyTLS(proxy),
		OnProxyConnectResponse: tunnelOpened,
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: exchange.MinTLS},
		TLSHandshakeTimeout:    10 * time.Second,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// onlyTLS gives a proxy to requests that are encrypted on their way through it.
func onlyTLS(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" {
			return nil, nil
		}
		return proxy(r)
	}
}

// dial connects to an address, to this machine alone where it says localhost (RFC
// 6761 6.3).
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 10 * time.Second}
	if host, _, err := net.SplitHostPort(address); err == nil && strings.EqualFold(host, "localhost") {
		d.Control = onlyLoopback
	}
	return d.DialContext(ctx, network, address)
}

// onlyLoopback refuses an address of another machine.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err == nil && !loopback.Host(host) {
		err = fmt.Errorf("localhost is %s here, which is not this machine", host)
	}
	return err
}

// tunnelOpened makes an error of a kind of a proxy's answer to CONNECT, which
// package net/http gives as text alone.
func tunnelOpened(_ context.Context, proxy *url.URL, _ *http.Request, r *http.Response) error {
	return diagnosis.CheckTunnel(r.StatusCode, r.Status, r.Header.Values("Proxy-Authenticate"), proxy.User != nil)
}

// stay follows no redirect: 307 and 308 would send the form, and with it the
// secret, to whatever address the answer names.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// recorder keeps the answer to one request: x/oauth2 tells no status when a
// body is not what it expects, and its error holds the request.
type recorder struct {
	base   http.RoundTripper // nil means http.DefaultTransport
	status int               // 0 until a whole answer was read
	header http.Header
	body   []byte
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	base := r.base
	if base == nil {
		base = http.DefaultTransport
	}
	response, err := base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	switch {
	case len(body) > maxAnswer:
		return nil, errAnswerTooLong
	case response.StatusCode < 100: // net/http takes 000
		return nil, errNoStatus
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // RFC 8259 8.1: a parser may ignore it
	r.status, r.header, r.body = response.StatusCode, response.Header, body

	out := *response
	out.Header = response.Header.Clone()
	if mended, ok := mend(body); ok {
		body = mended
		out.Header.Set("Content-Type", "application/json")
	}
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return &out, nil
}

// mend makes expires_in of a JSON answer a whole number. x/oauth2 takes it as
// number or string of digits; it fails on "3599.0" and "", and takes a value
// below zero for no expiry or, beyond 32 bits, for another one. What is not a
// positive number is left out: Token then assumes a short life. ok tells
// whether body is a JSON object.
func mend(body []byte) (mended []byte, ok bool) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, false
	}
	raw, present := fields["expires_in"]
	if !present {
		return body, true
	}
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), `" `), 64)
	if err == nil && seconds >= 1 {
		fields["expires_in"] = strconv.AppendInt(nil, int64(min(seconds, math.MaxInt32)), 10)
	} else {
		delete(fields, "expires_in")
	}
	mended, err = json.Marshal(fields)
	return mended, err == nil
}

// mediaType names the kind of the answer for a message.
func (r *recorder) mediaType() string {
	if r.status/100 == 3 {
		return "a redirect"
	}
	if len(r.body) == 0 {
		return "an empty body"
	}
	if kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type")); err == nil {
		return kind
	}
	return "a body of unknown type"
}
