//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/bench/internal/delayproxy"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

const (
	scope     = "https://outlook.office365.com/.default"
	recipient = "ada@contoso.example"
)

// lab is where the programs are measured: the server, at two distances, and the
// files that they read.
type lab struct {
	dir        string    // all files; removed at the end
	launch     string    // the launcher's binary
	enough     time.Time // when the full number of runs is no longer made
	box        *sandbox.Sandbox
	smtp       *delayproxy.Proxy // farRTT away
	tokens     *delayproxy.Proxy
	greeted    atomic.Int64 // when the server last greeted, nanoseconds since 1970; 0: not yet
	think      atomic.Int64 // what the token endpoint takes over its answer, nanoseconds
	attachment map[int]string
	ready      map[int]string // the same as whole messages, for programs that do not compose
}

func newLab(ctx context.Context) (_ *lab, err error) {
	l := &lab{attachment: map[int]string{}, ready: map[int]string{}}
	if l.dir, err = os.MkdirTemp("", "smtpsend-bench-*"); err != nil {
		return nil, fmt.Errorf("making directory: %w", err)
	}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if err := l.files(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// start starts the sandbox and the proxies. The sandbox keeps one message, so
// that large ones do not pile up, and takes connections in any number: one that
// ended here may still be open 40 ms away.
func (l *lab) start(ctx context.Context) (err error) {
	l.box, err = sandbox.Start(ctx, sandbox.Options{
		MaxMessages: 1, Connections: -1,
		SMTPHook: func(_ context.Context, stage smtp.Stage, _ string) (smtpserver.Reply, bool) {
			if stage == smtp.StageGreeting {
				l.greeted.CompareAndSwap(0, time.Now().UnixNano())
			}
			return smtpserver.Reply{}, false
		},
		TokenHook: l.thinkAboutToken,
	})
	if err != nil {
		return fmt.Errorf("starting the sandbox: %w", err)
	}
	if l.smtp, err = delayproxy.Start(ctx, delayproxy.Options{Target: l.box.SMTPAddr(), RTT: farRTT}); err != nil {
		return err
	}
	web := strings.TrimPrefix(l.box.URL(), "https://")
	l.tokens, err = delayproxy.Start(ctx, delayproxy.Options{Target: web, RTT: farRTT})
	return err
}

// thinkAboutToken delays a token and leaves the answer to the sandbox.
func (l *lab) thinkAboutToken(_ http.ResponseWriter, r *http.Request) bool {
	select {
	case <-time.After(time.Duration(l.think.Load())):
	case <-r.Context().Done():
	}
	return false
}

func (l *lab) close() error {
	var errs []error
	for _, p := range []*delayproxy.Proxy{l.smtp, l.tokens} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if l.box != nil {
		errs = append(errs, l.box.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

// files writes what the programs read. The text has 4 kB, as a report in a mail
// may have.
func (l *lab) files() error {
	text := strings.Repeat("Nothing to report but that all of it went well, line by line, and again.\n", 56)
	for name, data := range map[string][]byte{"ca.pem": l.box.CAPEM(), "text": []byte(text)} {
		if err := os.WriteFile(l.path(name), data, 0o600); err != nil {
			return fmt.Errorf("writing file: %w", err)
		}
	}
	return l.prepare(0, text)
}

// prepare writes an attachment of mb megabytes and a ready message with it.
func (l *lab) prepare(mb int, text string) error {
	draft := message.Draft{Subject: "Report 1", Text: text}
	if mb > 0 {
		l.attachment[mb] = l.path(fmt.Sprintf("data-%d.bin", mb))
		if err := os.WriteFile(l.attachment[mb], noise(mb<<20), 0o600); err != nil {
			return fmt.Errorf("writing attachment: %w", err)
		}
		draft.Attachments = []message.Attachment{{Path: l.attachment[mb]}}
	}
	var err error
	if draft.From, err = address.Parse("from", l.box.MailSender()); err != nil {
		return err
	}
	to, err := address.Parse("to", recipient)
	if err != nil {
		return err
	}
	draft.To = []address.Address{to}
	mail, err := message.Compose(context.Background(), draft)
	if err != nil {
		return fmt.Errorf("composing message: %w", err)
	}
	defer mail.Close()
	l.ready[mb] = l.path(fmt.Sprintf("ready-%d.eml", mb))
	f, err := os.Create(l.ready[mb])
	if err != nil {
		return fmt.Errorf("writing message: %w", err)
	}
	_, err = mail.Content.WriteTo(f)
	return errors.Join(err, f.Close())
}

// attachments makes those that list needs.
func (l *lab) attachments(list []scenario) error {
	for _, s := range list {
		if s.attach == 0 || l.attachment[s.attach] != "" {
			continue
		}
		if err := l.prepare(s.attach, "See the attachment.\n"); err != nil {
			return err
		}
	}
	return nil
}

// noise is n octets that are the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return b
}

// job is what one run of one program has to do, and where.
type job struct {
	lab *lab
	scenario
	smtpAddr, tokenURL string
	scratch            string // directory of this run alone
}

// job places s at its distance, or far away.
func (l *lab) job(s scenario, far bool, scratch string) job {
	j := job{lab: l, scenario: s, smtpAddr: l.box.SMTPAddr(), tokenURL: l.tokenURL(l.box.URL()), scratch: scratch}
	if far || s.rtt > 0 {
		j.smtpAddr, j.tokenURL = l.smtp.Addr(), l.tokenURL("https://"+l.tokens.Addr())
	}
	return j
}

func (l *lab) tokenURL(base string) string {
	return base + "/" + l.box.TenantID() + "/oauth2/v2.0/token"
}

// environ is the job as programs find it in their environment, and nothing of
// the caller's own but the way to programs.
func (j job) environ() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + j.scratch, "LANG=C.UTF-8",
		"BENCH_SMTP=" + j.smtpAddr, "BENCH_CA=" + j.lab.path("ca.pem"), "BENCH_USER=" + j.lab.box.MailSender(), "BENCH_TO=" + recipient,
		"BENCH_TEXT=" + j.lab.path("text"), fmt.Sprintf("BENCH_MESSAGES=%d", j.messages),
	}
	if j.attach > 0 {
		env = append(env, "BENCH_ATTACH="+j.lab.attachment[j.attach])
	}
	if !j.cold {
		return append(env, "BENCH_TOKEN="+j.lab.path("token"))
	}
	return append(env, "BENCH_TOKEN_URL="+j.tokenURL, "BENCH_SCOPE="+scope,
		"BENCH_CLIENT_ID="+j.lab.box.ClientID(), "BENCH_CLIENT_SECRET="+j.lab.box.ClientSecret())
}

// host and port are those of the SMTP server.
func (j job) hostPort() (host, port string) {
	host, port, _ = net.SplitHostPort(j.smtpAddr) // an address of our own listener
	return host, port
}

// write puts a file into the job's directory and returns its name.
func (j job) write(name string, content ...string) (string, error) {
	var b bytes.Buffer
	for _, line := range content {
		fmt.Fprintln(&b, line)
	}
	file := filepath.Join(j.scratch, name)
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("writing file: %w", err)
	}
	return file, nil
}
