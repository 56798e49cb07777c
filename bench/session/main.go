// Command session submits messages with one Sender of package submission, the
// next one's MAIL group with each final dot, as the callers that send many do.
// What it is told is in the environment, as for the peers beside it.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "session: %v\n", err)
		os.Exit(1)
	}
}

// token is an access token from a file.
type token string

func (t token) Token(context.Context) (bearer.Token, error) {
	return bearer.Token{Access: secret.New(string(t)), FromCache: true}, nil
}

func (t token) Invalidate(bearer.Token) {}

func run(ctx context.Context) error {
	o, err := options()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(os.Getenv("BENCH_MESSAGES"))
	if err != nil {
		return fmt.Errorf("reading BENCH_MESSAGES: %w", err)
	}
	text, err := os.ReadFile(os.Getenv("BENCH_TEXT"))
	if err != nil {
		return err
	}
	sender := submission.NewSender(o)
	defer sender.Close()
	mails := func(yield func(*mailobject.Mail) bool) {
		for i := range n {
			var m *mailobject.Mail
			if m, err = compose(string(text), i+1); err != nil || !yield(m) {
				return
			}
		}
	}
	policy := func(*mailobject.Mail) submission.Policy {
		return submission.Policy{Attempts: 1, Deadline: time.Now().Add(time.Minute)}
	}
	for _, r := range sender.SubmitAll(ctx, mails, policy) {
		if e, to := r.Failure(); e != nil {
			return fmt.Errorf("submitting to %s: %w", to, e)
		}
	}
	return err
}

func options() (session.Options, error) {
	host, port, err := net.SplitHostPort(os.Getenv("BENCH_SMTP"))
	if err != nil {
		return session.Options{}, fmt.Errorf("reading BENCH_SMTP: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return session.Options{}, fmt.Errorf("reading BENCH_SMTP: %w", err)
	}
	access, err := os.ReadFile(os.Getenv("BENCH_TOKEN"))
	if err != nil {
		return session.Options{}, err
	}
	return session.Options{
		Host: host, Port: number, Mailbox: os.Getenv("BENCH_USER"),
		Tokens: token(strings.TrimSpace(string(access))), LoadRoots: roots,
	}, nil
}

func roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(os.Getenv("BENCH_CA"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in BENCH_CA")
	}
	return pool, nil
}

func compose(text string, n int) (*mailobject.Mail, error) {
	from, err := address.Parse("BENCH_USER", os.Getenv("BENCH_USER"))
	if err != nil {
		return nil, err
	}
	to, err := address.Parse("BENCH_TO", os.Getenv("BENCH_TO"))
	if err != nil {
		return nil, err
	}
	m, err := message.Compose(context.Background(), message.Draft{From: from, To: []address.Address{to}, Subject: fmt.Sprintf("Report %d", n), Text: text})
	if err != nil {
		return nil, err
	}
	return m.Mail, nil
}
