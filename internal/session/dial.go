package session

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"golang.org/x/net/proxy"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
)

// network is what package net calls the address family.
func (o Options) network() string {
	switch o.IPFamily {
	case "ipv4":
		return "tcp4"
	case "ipv6":
		return "tcp6"
	}
	return "tcp"
}

// dial makes the TCP connection, by a proxy when one is set. Names are
// resolved by the proxy then.
func dial(ctx context.Context, o Options) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeouts.Dial)
	defer cancel()
	d := &net.Dialer{}
	if o.Socket != "" {
		return dialSocket(ctx, d, o.Socket)
	}
	if o.Proxy == nil {
		conn, err := d.DialContext(ctx, o.network(), o.Address())
		if err != nil {
			return nil, err
		}
		return quickAck(conn), nil
	}
	if o.Proxy.Scheme == "socks5" || o.Proxy.Scheme == "socks5h" {
		return dialSOCKS(ctx, d, o)
	}
	return dialConnect(ctx, d, o)
}

// dialSocket connects to a relay on this host. A socket that does not exist is one that
// no one listens on: a relay that is started again removes it and makes another.
func dialSocket(ctx context.Context, d *net.Dialer, path string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", syscall.ECONNREFUSED, err)
	}
	return conn, err
}

func dialSOCKS(ctx context.Context, d *net.Dialer, o Options) (net.Conn, error) {
	var auth *proxy.Auth
	if u := o.Proxy.User; u != nil {
		password, _ := u.Password()
		auth = &proxy.Auth{User: u.Username(), Password: password}
	}
	p, err := proxy.SOCKS5(o.network(), proxyAddress(o.Proxy), auth, d)
	if err != nil {
		return nil, fmt.Errorf("setting up proxy: %w", err)
	}
	conn, err := p.(proxy.ContextDialer).DialContext(ctx, o.network(), o.Address())
	if err != nil {
		return nil, fmt.Errorf("connecting by proxy %s: %w", o.Proxy.Redacted(), err)
	}
	return conn, nil
}

// dialConnect asks an HTTP proxy for a tunnel (RFC 9110 9.3.6).
func dialConnect(ctx context.Context, d *net.Dialer, o Options) (net.Conn, error) {
	conn, err := d.DialContext(ctx, o.network(), proxyAddress(o.Proxy))
	if err != nil {
		return nil, fmt.Errorf("connecting to proxy %s: %w", o.Proxy.Redacted(), err)
	}
	if o.Proxy.Scheme == "https" {
		roots, err := o.roots()
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		conn = tls.Client(conn, &tls.Config{ServerName: o.Proxy.Hostname(), RootCAs: roots, MinVersion: exchange.MinTLS})
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	through, err := tunnel(conn, o)
	if !stop() { // which closed the connection: that says nothing
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting by proxy %s: %w", o.Proxy.Redacted(), err)
	}
	return through, nil
}

// tunnel asks conn, the proxy, for a connection to the server.
func tunnel(conn net.Conn, o Options) (net.Conn, error) {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: o.Address()}, Host: o.Address(), Header: http.Header{}}
	if u := o.Proxy.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	answer := &io.LimitedReader{R: conn, N: maxProxyAnswer}
	br := bufio.NewReader(answer)
	resp, err := http.ReadResponse(br, req)
	for err == nil && resp.StatusCode/100 == 1 { // what is to come (RFC 9110 15.2)
		resp, err = http.ReadResponse(br, req)
	}
	if err != nil && answer.N == 0 {
		err = fmt.Errorf("the proxy's answer has a header of more than %d octets", maxProxyAnswer)
	}
	if err != nil {
		return nil, err
	}
	answer.N = math.MaxInt64
	if err := diagnosis.CheckTunnel(resp.StatusCode, resp.Status, resp.Header.Values("Proxy-Authenticate"), o.Proxy.User != nil); err != nil {
		return nil, err
	}
	return &bufferedConn{conn, br}, nil
}

// maxProxyAnswer bounds the header of the proxy's answer, which net/http does
// not.
const maxProxyAnswer = 64 << 10

// bufferedConn gives back what was read together with the proxy's answer: the
// server's greeting may come in the same packet.
type bufferedConn struct {
	net.Conn
	br *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.br.Read(p) }

// Buffered and NetConn let package wire look at what has arrived.
func (c *bufferedConn) Buffered() int     { return c.br.Buffered() }
func (c *bufferedConn) NetConn() net.Conn { return c.Conn }

func proxyAddress(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" {
		port = "1080" // RFC 1928
	}
	return net.JoinHostPort(u.Hostname(), port)
}
