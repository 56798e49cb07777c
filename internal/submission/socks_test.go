package submission_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestSOCKSProxy goes through a SOCKS5 proxy (RFC 1928, RFC 1929), whose refusals
// have the names that those of a CONNECT proxy have.
func TestSOCKSProxy(t *testing.T) {
	for name, tt := range map[string]struct {
		password string
		reply    byte
		code     string // of the finding, "" for none
	}{
		"good":              {"p4ssw0rd", 0, ""},
		"wrong password":    {"wr0ng", 0, "proxy-authentication"},
		"no password":       {"", 0, "proxy-authentication"},
		"general failure":   {"p4ssw0rd", 1, "network-unreachable"},
		"not allowed":       {"p4ssw0rd", 2, "proxy-refused"},
		"no network":        {"p4ssw0rd", 3, "network-unreachable"},
		"no host":           {"p4ssw0rd", 4, "network-unreachable"},
		"nobody listens":    {"p4ssw0rd", 5, "connection-refused"},
		"too long a way":    {"p4ssw0rd", 6, "network-unreachable"},
		"what nobody knows": {"p4ssw0rd", 99, "unknown-failure"},
	} {
		t.Run(name, func(t *testing.T) {
			o := setup(t, &server{})
			o.Proxy = &url.URL{Scheme: "socks5", Host: socksProxy(t, tt.reply)}
			if tt.password != "" {
				o.Proxy.User = url.UserPassword("u", tt.password)
			}
			r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
			if tt.code == "" {
				if !r.AllAccepted() {
					t.Error(r.Err())
				}
				return
			}
			e := r.Err()
			if e == nil || e.Stage != smtp.StageDial || strings.Contains(e.Error(), "0rd") || strings.Contains(e.Error(), "wr0ng") {
				t.Fatalf("err %v", e)
			}
			if f := diagnosis.Find(e.Symptom(), diagnosis.Facts{}); f.Code != tt.code {
				t.Errorf("%v is called %s, want %s", e, f.Code, tt.code)
			}
		})
	}
}

// socksProxy serves one connection, for user u with password p4ssw0rd.
func socksProxy(t *testing.T, reply byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		serveSOCKS(conn, reply)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func serveSOCKS(conn net.Conn, reply byte) {
	methods := octets(conn, octets(conn, 2)[1])
	if !strings.Contains(string(methods), "\x02") {
		conn.Write([]byte{5, 0xff})
		return
	}
	conn.Write([]byte{5, 2})
	user := octets(conn, octets(conn, 2)[1])
	password := octets(conn, octets(conn, 1)[0])
	if string(user) != "u" || string(password) != "p4ssw0rd" {
		conn.Write([]byte{1, 1})
		return
	}
	conn.Write([]byte{1, 0})
	request := octets(conn, 10) // CONNECT to an IPv4 address
	conn.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
	if reply != 0 {
		return
	}
	to, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: request[4:8], Port: int(binary.BigEndian.Uint16(request[8:]))})
	if err != nil {
		return
	}
	defer to.Close()
	go func() { io.Copy(to, conn); to.Close() }()
	io.Copy(conn, to)
}

func octets(r io.Reader, n byte) []byte {
	b := make([]byte, n)
	io.ReadFull(r, b)
	return b
}

// TestProxyThatDoesNotAnswer tells a silent proxy from one that talks without
// end and from one that left.
func TestProxyThatDoesNotAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   smtp.Fault
		text   string
	}{
		"silent":  {"", smtp.FaultConnectionTimeout, "deadline"},
		"endless": {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 100), "", "more than 65536 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				io.WriteString(conn, tt.answer)
				io.Copy(io.Discard, conn) // until the client leaves
			}()
			o := setup(t, &server{})
			o.Proxy, o.Timeouts.Dial = &url.URL{Scheme: "http", Host: l.Addr().String()}, 3*time.Second
			e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
			if e == nil || e.Stage != smtp.StageDial || e.Fault != tt.want || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("err %v, fault %q, want %q", e, e.Fault, tt.want)
			}
		})
	}
}
