package smtpsend_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	netsmtp "net/smtp"
	"slices"
	"strings"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"
	gomailsmtp "github.com/wneessen/go-mail/smtp"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/sandboxtest"
)

// msg is a message of go-mail.
func msg(t testing.TB, change func(*gomail.Msg) error) *gomail.Msg {
	t.Helper()
	m := gomail.NewMsg()
	if err := errors.Join(m.From("noreply@contoso.example"), m.To("ada@contoso.example")); err != nil {
		t.Fatal(err)
	}
	m.Subject("hi")
	m.SetBodyString(gomail.TypeTextPlain, "hi\n")
	if err := change(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSendMsgTakesEnvelopeAndContentOfGoMail(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	receipt, err := client.SendMsg(t.Context(), msg(t, func(m *gomail.Msg) error {
		m.SetMessageIDWithValue("1@contoso.example")
		m.AddAlternativeString(gomail.TypeTextHTML, "<p>hi</p>")
		return errors.Join(m.From("Jörg <news@contoso.example>"), m.Cc("bob@contoso.example"), m.Bcc("cy@contoso.example"), m.AttachReader("a.csv", strings.NewReader("a;b\n")))
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := only(t, srv)
	if !slices.Equal(got.To, []string{"ada@contoso.example", "bob@contoso.example", "cy@contoso.example"}) || got.Mailbox != "news@contoso.example" {
		t.Errorf("envelope: %q to %q", got.Mailbox, got.To)
	}
	if receipt.MessageID != "<1@contoso.example>" || got.MessageID != receipt.MessageID || strings.Contains(string(got.Raw), "cy@") || got.HTML != "<p>hi</p>" || len(got.Attachments) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestSendMsgRefusesWhatLacksAnAddress(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	if _, err := client.SendMsg(t.Context(), gomail.NewMsg()); !errors.Is(err, gomail.ErrNoRcptAddresses) {
		t.Errorf("got %v", err)
	}
	m := gomail.NewMsg()
	if err := m.To("ada@contoso.example"); err != nil {
		t.Fatal(err)
	}
	m.SetBodyString(gomail.TypeTextPlain, "hi\n")
	if receipt, err := client.SendMsg(t.Context(), m); err != nil || receipt.Mailbox != srv.Mailbox {
		t.Errorf("without From: %v", err)
	}
	if got := only(t, srv); got.Header("From") != srv.Mailbox {
		t.Errorf("From: %q", got.Header("From"))
	}
	broken := errors.New("broken")
	m.SetBodyWriter(gomail.TypeTextPlain, func(io.Writer) (int64, error) { return 0, broken })
	if _, err := client.SendMsg(t.Context(), m); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestSendMsgRefusesAFileThatAddsHeaderFields(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	for name, option := range map[string]gomail.FileOption{
		"content type": gomail.WithFileContentType("text/plain\r\nEvil: yes"),
		"content ID":   gomail.WithFileContentID("a\nEvil: yes"),
	} {
		for kind, add := range map[string]func(*gomail.Msg) error{
			"attached": func(m *gomail.Msg) error { return m.AttachReader("a.txt", strings.NewReader("x"), option) },
			"embedded": func(m *gomail.Msg) error { return m.EmbedReader("a.txt", strings.NewReader("x"), option) },
		} {
			receipt, err := client.SendMsg(t.Context(), msg(t, add))
			if _, ok := errors.AsType[*smtpsend.MessageError](err); !ok || receipt != nil {
				t.Errorf("%s, %s: %v, %v", name, kind, receipt, err)
			}
		}
	}
	if got := srv.Messages(); len(got) != 0 {
		t.Errorf("%d messages left", len(got))
	}
}

// A panic belongs to the goroutine of the caller, who may recover from it, as net/http
// does.
func TestSendMsgPanicsWhereTheCallerCanRecover(t *testing.T) {
	t.Parallel()
	client := newClient(t, sandboxtest.Start(t), smtpsend.Options{})
	defer func() {
		if got := recover(); got != "disk on fire" {
			t.Errorf("recovered %v", got)
		}
	}()
	receipt, err := client.SendMsg(t.Context(), msg(t, func(m *gomail.Msg) error {
		m.SetBodyWriter(gomail.TypeTextPlain, func(io.Writer) (int64, error) { panic("disk on fire") })
		return nil
	}))
	t.Errorf("no panic: %v, %v", receipt, err)
}

func TestSendMsgRefusesAnImageThatNoReaderWouldFind(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	embed := func(options ...gomail.FileOption) *gomail.Msg {
		return msg(t, func(m *gomail.Msg) error {
			m.SetBodyString(gomail.TypeTextHTML, `<img src="cid:logo">`)
			return m.EmbedReader("logo ü.png", strings.NewReader("x"), options...)
		})
	}
	if _, err := client.SendMsg(t.Context(), embed()); !isMessageError(err, "embedded file") || len(srv.Messages()) != 0 {
		t.Errorf("got %v", err)
	}
	if _, err := client.SendMsg(t.Context(), embed(gomail.WithFileContentID("logo"))); err != nil {
		t.Errorf("with a Content-ID of its own: %v", err)
	}
}

// TestSendMsgRepairsWhatGoMailMiswrites has what docs/upstream reports.
func TestSendMsgRepairsWhatGoMailMiswrites(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gomail.Msg) error{
		"line of blanks": func(m *gomail.Msg) error {
			m.Subject(strings.Repeat("word ", 12) + strings.Repeat(" ", 90) + "end")
			return nil
		},
		"long description": func(m *gomail.Msg) error {
			return m.AttachReader("a.csv", strings.NewReader("a;b\n"), gomail.WithFileDescription(strings.Repeat("long ", 300)))
		},
		"long file name": func(m *gomail.Msg) error {
			return m.AttachReader(strings.Repeat("ü", 120)+".csv", strings.NewReader("a;b\n"))
		},
		"long word": func(m *gomail.Msg) error {
			m.SetGenHeader("X-Long", strings.Repeat("x", 900))
			return nil
		},
		"8 bits": func(m *gomail.Msg) error {
			m.SetEncoding(gomail.NoEncoding)
			m.SetBodyString(gomail.TypeTextPlain, "Grüße\n")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := sandboxtest.Start(t)
			if _, err := newClient(t, srv, smtpsend.Options{}).SendMsg(t.Context(), msg(t, change)); err != nil {
				t.Fatal(err)
			}
			got := only(t, srv)
			header, _, _ := bytes.Cut(got.Raw, []byte("\r\n\r\n"))
			for line := range strings.SplitSeq(string(got.Raw), "\r\n") {
				if len(line) > 998 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
					t.Errorf("a line of %d octets: %q", len(line), line)
				}
			}
			for line := range strings.SplitSeq(string(header), "\r\n") {
				if strings.TrimSpace(line) == "" {
					t.Errorf("a line of blanks in the header section:\n%s", header)
				}
			}
			if got.Problem != "" {
				t.Error(got.Problem)
			}
		})
	}
}

func TestSendMsgLeavesSignedMessagesAlone(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "noreply"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	m := msg(t, func(m *gomail.Msg) error {
		m.SetBodyString(gomail.TypeTextPlain, "Grüße\n")
		m.SetMessageIDWithValue("1@contoso.example")
		return m.SignWithKeypair(key, certificate, nil)
	})
	srv := sandboxtest.Start(t)
	if _, err := newClient(t, srv, smtpsend.Options{}).SendMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := only(t, srv)
	var again bytes.Buffer
	if _, err := m.WriteTo(&again); err != nil {
		t.Fatal(err)
	}
	if signed, want := signedPart(t, got.Raw), signedPart(t, again.Bytes()); signed != want || !strings.Contains(signed, "Gr=C3=BC=C3=9Fe") {
		t.Errorf("the signed part is %q, and was %q", signed, want)
	}
}

// signedPart is the first part of multipart/signed, octet by octet.
func signedPart(t testing.TB, raw []byte) string {
	t.Helper()
	text := string(raw)
	_, after, ok := strings.Cut(text, "boundary=")
	if !ok || !strings.Contains(text, "multipart/signed") {
		t.Fatalf("not signed: %s", text)
	}
	boundary := strings.Trim(strings.FieldsFunc(after, func(r rune) bool { return r == '\r' || r == ';' })[0], `"`)
	parts := strings.Split(text, "--"+boundary)
	return parts[1]
}

func TestAuthSignsGoMailsClientIn(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	sender, err := gomail.NewClient(srv.Host, gomail.WithPort(srv.Port), gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithTLSConfig(srv.TLSConfig()),
		gomail.WithSMTPAuthCustom(client.Auth(t.Context(), "")))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // one Auth, two connections
		if err := sender.DialAndSend(msg(t, func(*gomail.Msg) error { return nil })); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(srv.Messages()); n != 2 || srv.TokenRequests() != 1 {
		t.Errorf("%d messages, %d token requests", n, srv.TokenRequests())
	}
}

func TestNetAuthSignsNetSMTPIn(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	if err := submitByNetSMTP(srv, client.NetAuth(t.Context(), srv.Mailbox), true); err != nil {
		t.Fatal(err)
	}
	only(t, srv)
	if err := submitByNetSMTP(srv, client.NetAuth(t.Context(), srv.Mailbox), false); !errors.Is(err, smtpsend.ErrNoTLS) {
		t.Errorf("without TLS: %v", err)
	}
}

func submitByNetSMTP(srv *sandboxtest.Server, auth netsmtp.Auth, secured bool) error {
	c, err := netsmtp.Dial(srv.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if secured {
		if err := c.StartTLS(&tls.Config{RootCAs: srv.RootCAs, ServerName: srv.Host}); err != nil {
			return err
		}
	}
	if err := c.Auth(auth); err != nil {
		return err
	}
	if err := errors.Join(c.Mail(srv.Mailbox), c.Rcpt("ada@contoso.example")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "From: "+srv.Mailbox+"\r\nSubject: hi\r\n\r\nhi\r\n"); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

func TestAuthGivesTheTokenToTheServerOfTheSettingsOnly(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	for _, c := range []struct {
		server gomailsmtp.ServerInfo
		want   error
	}{
		{gomailsmtp.ServerInfo{Name: srv.Host}, smtpsend.ErrNoTLS},
		{gomailsmtp.ServerInfo{Name: "smtp.contoso.example", TLS: true}, smtpsend.ErrOtherServer},
	} {
		if _, _, err := client.Auth(t.Context(), "").Start(&c.server); !errors.Is(err, c.want) {
			t.Errorf("%+v: got %v", c.server, err)
		}
	}
	if srv.TokenRequests() != 0 {
		t.Error("a token was asked for")
	}
	if _, err := client.Auth(t.Context(), "").Next(nil, true); err == nil {
		t.Error("a challenge before Start is answered")
	}
	plain := newClient(t, srv, smtpsend.Options{Settings: []string{"SMTPSEND_SMTP_SECURITY=0"}})
	if _, _, err := plain.Auth(t.Context(), "").Start(&gomailsmtp.ServerInfo{Name: srv.Host}); err != nil {
		t.Errorf("in clear to this machine, as the settings say: %v", err)
	}
}

func TestAuthDropsATokenThatAChallengeRefuses(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{InMemory: true})
	auth := client.Auth(t.Context(), "")
	server := &gomailsmtp.ServerInfo{Name: srv.Host, TLS: true}
	_, first, err := auth.Start(server)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := auth.Next([]byte(`{"status":"401"}`), true); err != nil || answer == nil || len(answer) > 0 {
		t.Errorf("got %q, %v", answer, err)
	}
	_, second, err := auth.Start(server)
	if err != nil || bytes.Equal(first, second) {
		t.Errorf("the refused token is given again (%v)", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other := newClient(t, srv, smtpsend.Options{InMemory: true})
	if _, _, err := other.Auth(ctx, "").Start(server); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
