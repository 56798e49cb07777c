package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// TestMain is also the child process of TestIdleConnections.
func TestMain(m *testing.M) {
	if kind := os.Getenv("SMTPSERVER_TEST_IDLE"); kind != "" {
		if err := idleServer(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// idleServer is the child process of TestIdleConnections: it serves until its input
// ends.
func idleServer(kind string) error {
	o := smtpserver.Options{UnauthenticatedTimeout: time.Hour, NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
		return &session{box: &mailbox{}, peer: p}
	}}
	if kind != "clear" {
		o.TLSConfig = selfMade()
		o.ImplicitTLS = kind == "tls"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := smtpserver.New(o)
	go func() { _ = s.Serve(context.Background(), l) }()
	fmt.Println(l.Addr())
	_, err = io.ReadAll(os.Stdin)
	return err
}
