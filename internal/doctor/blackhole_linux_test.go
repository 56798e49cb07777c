package doctor_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// blackHole is a port whose queue is full: the kernel drops what comes, as a
// firewall does.
func blackHole(t *testing.T) (port int) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port = name.(*syscall.SockaddrInet4).Port
	for range 16 {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+itoa(port), time.Second)
		if err != nil {
			return port
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Skip("this kernel's queue does not fill")
	return 0
}

func TestBlackHole(t *testing.T) {
	t.Parallel()
	port := blackHole(t)
	_, o := start(t, sandbox.Options{})
	o.Session.Host, o.Session.Port = "127.0.0.1", port
	o.Limit = soonEnough
	began := time.Now()
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "connection-timeout" || r.Broken != "tcp smtp" || !strings.Contains(r.Proof, "IPv4 no answer") {
		t.Errorf("finding %+v at %q, proof %q", r.Finding, r.Broken, r.Proof)
	}
	if took := time.Since(began); took > 10*soonEnough {
		t.Errorf("took %v, the limit is %v", took, soonEnough)
	}
	if c := check(t, r, "tcp smtp"); c.Limit != soonEnough || c.Took < soonEnough {
		t.Errorf("check %+v", c)
	}
	if c := check(t, r, "claims"); c.Status != doctor.OK {
		t.Errorf("claims %+v", c)
	}
}
