// Command gomail submits messages with go-mail as its documentation shows it,
// and golang.org/x/oauth2 for the token where none is given. It is a peer in the
// benchmark: nothing in it is tuned. What it is told is in the environment, as
// for the other peers.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "gomail: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	pem, err := os.ReadFile(os.Getenv("BENCH_CA"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	token, err := accessToken(ctx, roots)
	if err != nil {
		return err
	}
	messages, err := compose()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(os.Getenv("BENCH_SMTP"))
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(host, mail.WithPort(number), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}),
		mail.WithSMTPAuth(mail.SMTPAuthXOAUTH2), mail.WithUsername(os.Getenv("BENCH_USER")), mail.WithPassword(token),
		mail.WithTimeout(5*time.Minute))
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, messages...)
}

// accessToken reads a token from a file or asks the token endpoint.
func accessToken(ctx context.Context, roots *x509.CertPool) (string, error) {
	if file := os.Getenv("BENCH_TOKEN"); file != "" {
		token, err := os.ReadFile(file)
		return strings.TrimSpace(string(token)), err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport})
	config := clientcredentials.Config{
		ClientID: os.Getenv("BENCH_CLIENT_ID"), ClientSecret: os.Getenv("BENCH_CLIENT_SECRET"),
		TokenURL: os.Getenv("BENCH_TOKEN_URL"), Scopes: []string{os.Getenv("BENCH_SCOPE")}, AuthStyle: oauth2.AuthStyleInParams,
	}
	token, err := config.Token(ctx)
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

func compose() ([]*mail.Msg, error) {
	n, err := strconv.Atoi(os.Getenv("BENCH_MESSAGES"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(os.Getenv("BENCH_TEXT"))
	if err != nil {
		return nil, err
	}
	messages := make([]*mail.Msg, n)
	for i := range messages {
		m := mail.NewMsg()
		if err := m.From(os.Getenv("BENCH_USER")); err != nil {
			return nil, err
		}
		if err := m.To(os.Getenv("BENCH_TO")); err != nil {
			return nil, err
		}
		m.Subject(fmt.Sprintf("Report %d", i+1))
		m.SetBodyString(mail.TypeTextPlain, string(text))
		if file := os.Getenv("BENCH_ATTACH"); file != "" {
			m.AttachFile(file)
		}
		messages[i] = m
	}
	return messages, nil
}
