package sandbox

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// handler routes requests. What shows or takes secrets and tokens is for TLS
// only; the rest is served in clear as well, and so is what Azure's hosts serve in clear.
func (s *Sandbox) handler() http.Handler {
	mux := http.NewServeMux()
	for _, routes := range []map[string]http.HandlerFunc{s.endpoint.Routes(), s.wallet.Routes()} {
		for pattern, h := range routes {
			mux.Handle(pattern, tlsOnly(h))
		}
	}
	for pattern, h := range s.wallet.AzureHost().Routes() {
		mux.Handle(pattern, h)
	}
	for pattern, h := range s.graph.Routes() {
		mux.Handle(pattern, tlsOnly(h))
	}
	for pattern, h := range s.inbox.Routes(s.SMTPAddr()) {
		mux.Handle(pattern, h)
	}
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

// newHTTPServer serves everything that is not SMTP.
func (s *Sandbox) newHTTPServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
}

type connKey struct{}

// overTLS reports whether the request came through TLS.
func overTLS(r *http.Request) bool {
	c, ok := r.Context().Value(connKey{}).(*sniffConn)
	return ok && c.secure()
}
