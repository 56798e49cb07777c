package sandboxtest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/exampletest"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/smtpsend/smtpsend/sandboxtest"
	"github.com/smtpsend/smtpsend/xoauth2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mailer is a program under test: it submits with emersion/go-smtp.
type mailer struct {
	addr, mailbox string
	tls           *tls.Config
	tokens        clientcredentials.Config
	http          *http.Client
}

func newMailer(srv *sandboxtest.Server) *mailer {
	return &mailer{
		addr: srv.Addr, mailbox: srv.Mailbox, tls: srv.TLSConfig(), http: srv.Client(),
		tokens: clientcredentials.Config{
			ClientID: srv.ClientID, ClientSecret: srv.ClientSecret, TokenURL: srv.TokenURL,
			Scopes: []string{sandboxtest.Scope}, AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// send submits text in one session, with a new token.
func (m *mailer) send(to, subject, text string) (err error) {
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, m.http)
	token, err := m.tokens.Token(ctx)
	if err != nil {
		return err
	}
	client, err := smtp.DialStartTLS(m.addr, m.tls)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Auth(xoauth2.NewClient(m.mailbox, token.AccessToken)); err != nil {
		return err
	}
	content := "From: " + m.mailbox + "\r\nTo: " + to + "\r\nSubject: " + subject + "\r\n\r\n" + text + "\r\n"
	if err := client.SendMail(m.mailbox, []string{to}, strings.NewReader(content)); err != nil {
		return err
	}
	return client.Quit()
}

// code is that of the reply in err, 0 for none.
func code(err error) int {
	if reply, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return reply.Code
	}
	return 0
}

// testOf returns what an example uses as its test, and the function that ends it.
func testOf() (t testing.TB, end func()) { return exampletest.New() }

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
