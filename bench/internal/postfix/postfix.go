//go:build unix

// Package postfix runs a Postfix that takes messages by SMTP on loopback and keeps them on
// hold, to measure how fast its queue takes them. It needs root, and smtp-source.
package postfix

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/smtpsend/smtpsend/internal/freeport"
)

// mainCF spares Postfix all that is not its queue: look-ups, counting of
// clients, the slowing down of producers, and what would deliver.
const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.fabrikam.example
mydestination = fabrikam.example
alias_maps =
alias_database =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_client_event_limit_exceptions = static:all
smtpd_sender_restrictions = check_sender_access static:HOLD
smtpd_recipient_limit = 1000
in_flow_delay = 0
`

const masterCF = `127.0.0.1:%[1]s inet n - n - 50 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix - n n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
postlog unix-dgram n - n - 1 postlogd
`

// Postfix is one that runs. Addr is where it listens.
type Postfix struct {
	master *exec.Cmd
	log    *os.File
	Addr   string
}

// Start starts one with a queue of its own in dir.
func Start(ctx context.Context, dir string) (*Postfix, error) {
	dir = filepath.Join(dir, "postfix")
	conf := filepath.Join(dir, "conf")
	for _, d := range []string{dir, conf, filepath.Join(dir, "queue"), filepath.Join(dir, "data")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(filepath.Join(dir, "data"), uid, -1); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"main.cf": fmt.Sprintf(mainCF, dir), "master.cf": fmt.Sprintf(masterCF, port)} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if out, err := exec.CommandContext(ctx, "postfix", "-c", conf, "check").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("checking Postfix: %w: %s", err, out)
	}
	daemons, err := exec.CommandContext(ctx, "postconf", "-c", conf, "-h", "daemon_directory").Output()
	if err != nil {
		return nil, fmt.Errorf("asking Postfix: %w", err)
	}
	p := &Postfix{Addr: "127.0.0.1:" + port, master: exec.CommandContext(ctx, filepath.Join(strings.TrimSpace(string(daemons)), "master"), "-c", conf, "-s")}
	if p.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	p.master.Stdout, p.master.Stderr = p.log, p.log
	p.master.Env = append(os.Environ(), "MAIL_CONFIG="+conf)
	if err := p.master.Start(); err != nil {
		return nil, fmt.Errorf("starting Postfix: %w", err)
	}
	return p, p.ready(ctx)
}

// ready waits until it takes connections.
func (p *Postfix) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "tcp", p.Addr); err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			log, _ := os.ReadFile(p.log.Name())
			p.Stop()
			return fmt.Errorf("waiting for Postfix: %w: %s", context.Cause(ctx), log)
		}
	}
}

// Stop ends it.
func (p *Postfix) Stop() {
	_ = p.master.Process.Signal(syscall.SIGTERM)
	_ = p.master.Wait()
	_ = p.log.Close()
}

// Submit has smtp-source submit n messages of 2 KB to a server, over so many sessions at
// once that stay open.
func Submit(ctx context.Context, addr string, sessions, n int) error {
	out, err := exec.CommandContext(ctx, "smtp-source", "-d", "-s", strconv.Itoa(sessions), "-m", strconv.Itoa(n), "-l", "2048",
		"-f", "reports@contoso.example", "-t", "kim@fabrikam.example", addr).CombinedOutput()
	if err != nil {
		return fmt.Errorf("smtp-source: %w: %s", err, out)
	}
	return nil
}
