// Command session submits messages on one session of package submission, the
// next one's MAIL group behind each final dot, as the callers that send many do.
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
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/secret"
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

func (t token) Token(context.Context) (submission.Token, error) {
	return submission.Token{Access: secret.New(string(t)), FromCache: true}, nil
}

func (t token) Invalidate(submission.Token) {}

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
	session, err := submission.Open(ctx, o, time.Now().Add(time.Minute))
	if err != nil {
		return err
	}
	defer session.Close()
	current, err := compose(string(text), 1)
	for i := 1; err == nil && current != nil; i++ {
		current, err = submit(ctx, session, current, func() (*mailobject.Mail, error) {
			if i == n {
				return nil, nil
			}
			return compose(string(text), i+1)
		})
	}
	return err
}

// submit submits m and returns the message that follows it.
func submit(ctx context.Context, s *submission.Session, m *mailobject.Mail, after func() (*mailobject.Mail, error)) (next *mailobject.Mail, err error) {
	res := s.Submit(ctx, time.Now().Add(time.Minute), m, func() *mailobject.Mail {
		next, err = after()
		return next
	})
	if res.Err != nil {
		return nil, res.Err
	}
	if !res.Reply.Positive() {
		return nil, fmt.Errorf("refused: %s", res.Reply)
	}
	return next, err
}

func options() (submission.Options, error) {
	host, port, err := net.SplitHostPort(os.Getenv("BENCH_SMTP"))
	if err != nil {
		return submission.Options{}, fmt.Errorf("reading BENCH_SMTP: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return submission.Options{}, fmt.Errorf("reading BENCH_SMTP: %w", err)
	}
	access, err := os.ReadFile(os.Getenv("BENCH_TOKEN"))
	if err != nil {
		return submission.Options{}, err
	}
	return submission.Options{
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
