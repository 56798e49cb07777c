package delayproxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/bench/internal/delayproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs handle for each connection and returns its address.
func serve(t *testing.T, handle func(c *net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handle(c.(*net.TCPConn))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func start(t *testing.T, target string, rtt time.Duration) *delayproxy.Proxy {
	t.Helper()
	p, err := delayproxy.Start(context.Background(), delayproxy.Options{Target: target, RTT: rtt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func dial(t *testing.T, p *delayproxy.Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// idle waits for the proxy's connections to end and returns what it counted.
func idle(t *testing.T, p *delayproxy.Proxy) []delayproxy.Trip {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Idle(ctx); err != nil {
		t.Fatal(err)
	}
	return p.Trips()
}

// lines greets, then answers each line, as a server of SMTP does.
func lines(c *net.TCPConn) {
	io.WriteString(c, "220 hello\r\n")
	for s := bufio.NewScanner(c); s.Scan(); {
		if s.Text() == "QUIT" {
			return
		}
		io.WriteString(c, "250 "+s.Text()+"\r\n")
	}
}

func TestGreetingComesAfterSetUpAndHalfATurnEach(t *testing.T) {
	const rtt = 40 * time.Millisecond
	p := start(t, serve(t, lines), rtt)
	begin := time.Now()
	r := bufio.NewReader(dial(t, p))
	if line, err := r.ReadString('\n'); line != "220 hello\r\n" || err != nil {
		t.Fatalf("greeting %q, %v", line, err)
	}
	if took := time.Since(begin); took < 2*rtt {
		t.Errorf("greeting after %v, want %v at least", took, 2*rtt)
	}
}

func TestClientThatSpeaksFirstPaysForSetUp(t *testing.T) {
	const rtt = 100 * time.Millisecond
	p := start(t, serve(t, func(c *net.TCPConn) { io.Copy(c, c) }), rtt)
	begin := time.Now()
	c := dial(t, p)
	<-time.After(rtt / 2) // what the client does before it speaks takes its time, too
	for i, least := range []time.Duration{2*rtt + rtt/2, 3*rtt + rtt/2} {
		io.WriteString(c, "x")
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < least {
			t.Errorf("answer %d after %v, want %v at least", i+1, took, least)
		}
	}
}

func TestTurnsAreWaitsOfTheClient(t *testing.T) {
	// What the client does after the greeting: "w text" writes, "r" reads a line.
	// The last turn is the close of a client that has heard something.
	for name, c := range map[string]struct {
		script []string
		want   int
	}{
		"close after greeting":              {[]string{"r"}, 1},
		"lock-step":                         {[]string{"r", "w A", "r", "w B", "r"}, 3},
		"a group is one turn":               {[]string{"r", "w A\r\nB\r\nC", "r", "r", "r"}, 2},
		"QUIT without waiting":              {[]string{"r", "w A", "r", "w QUIT"}, 2},
		"several writes in a row":           {[]string{"r", "w A", "w B", "r", "r"}, 2},
		"reply heard before the next write": {[]string{"r", "w A", "r", "w B", "r", "w QUIT"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, serve(t, lines), 50*time.Millisecond)
			conn := dial(t, p)
			r := bufio.NewReader(conn)
			for _, step := range c.script {
				if text, write := strings.CutPrefix(step, "w "); write {
					io.WriteString(conn, text+"\r\n")
				} else if _, err := r.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			conn.Close()
			trips := idle(t, p)
			if len(trips) != 1 || trips[0].Turns != c.want {
				t.Errorf("trips %+v, want one of %d turns", trips, c.want)
			}
			p.Forget()
			if left := p.Trips(); len(left) != 0 {
				t.Errorf("%d trips after Forget", len(left))
			}
		})
	}
}

func TestOctetsPassUnchangedBothWays(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	p := start(t, serve(t, func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		c.Write(all)
	}), 2*time.Millisecond)
	c := dial(t, p)
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d octets came back, %v; want the %d sent", len(got), err, len(sent))
	}
	c.Close()
	if trips := idle(t, p); trips[0].Up != int64(len(sent)) || trips[0].Down != int64(len(sent)) {
		t.Errorf("counted %+v", trips[0])
	}
}

func TestServerThatIsGoneEndsTheConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := start(t, l.Addr().String(), 0)
	c := dial(t, p)
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d octets, %v", n, err)
	}
	idle(t, p)
}

func TestCloseCutsConnections(t *testing.T) {
	p := start(t, serve(t, lines), time.Millisecond)
	c := dial(t, p)
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read after Close: %v", err)
	}
}
