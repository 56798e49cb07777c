package smtpsend_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"testing"

	gomail "github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/sandboxtest"
)

// stamp is a middleware that sets a header field.
type stamp struct{ name, value string }

func (s stamp) Handle(m *gomail.Msg) *gomail.Msg {
	m.SetGenHeader(gomail.Header(s.name), s.value)
	return m
}

func (s stamp) Type() gomail.MiddlewareType { return "stamp" }

// option is one of NewMsg, applied to a message that is there.
func option(o gomail.MsgOption) func(*gomail.Msg) error {
	return func(m *gomail.Msg) error { o(m); return nil }
}

// set is a function of a message that cannot fail.
func set(f func(*gomail.Msg)) func(*gomail.Msg) error {
	return func(m *gomail.Msg) error { f(m); return nil }
}

// Whatever a message of go-mail can say is said to the server and in the content.
func TestSendMsgDropsNothingOfAMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*gomail.Msg) error
		want   map[string]string               // header fields
		check  func(*sandboxtest.Message) bool // beside them
	}{
		"blind copy": {
			func(m *gomail.Msg) error { return m.Bcc("bob@contoso.example") },
			map[string]string{"Bcc": ""}, func(m *sandboxtest.Message) bool {
				return slices.Contains(m.To, "bob@contoso.example") && !bytes.Contains(m.Raw, []byte("bob@"))
			},
		},
		"reply to":   {func(m *gomail.Msg) error { return m.ReplyTo("help@contoso.example") }, map[string]string{"Reply-To": "<help@contoso.example>"}, nil},
		"MDN":        {func(m *gomail.Msg) error { return m.RequestMDNTo("read@contoso.example") }, map[string]string{"Disposition-Notification-To": "<read@contoso.example>"}, nil},
		"importance": {set(func(m *gomail.Msg) { m.SetImportance(gomail.ImportanceHigh) }), map[string]string{"Importance": "high", "X-Priority": "1", "X-MSMail-Priority": "1"}, nil},
		"bulk":       {set(func(m *gomail.Msg) { m.SetBulk() }), map[string]string{"Precedence": "bulk", "X-Auto-Response-Suppress": "All"}, nil},
		"list": {
			func(m *gomail.Msg) error { return m.SetListUnsubscribeOneClick("https://contoso.example/u") },
			map[string]string{"List-Unsubscribe": "<https://contoso.example/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}, nil,
		},
		"user agent":   {set(func(m *gomail.Msg) { m.SetUserAgent("nightly/1") }), map[string]string{"User-Agent": "nightly/1", "X-Mailer": "nightly/1"}, nil},
		"organization": {set(func(m *gomail.Msg) { m.SetOrganization("Contoso") }), map[string]string{"Organization": "Contoso"}, nil},
		"preformatted": {set(func(m *gomail.Msg) { m.SetGenHeaderPreformatted("X-Folded", "one\r\n two") }), map[string]string{"X-Folded": "one two"}, nil},
		"middleware":   {option(gomail.WithMiddleware(stamp{"X-Stamp", "seen"})), map[string]string{"X-Stamp": "seen"}, nil},
		"boundary": {
			func(m *gomail.Msg) error {
				m.SetBoundary("my-own-boundary")
				return m.AttachReader("a.csv", strings.NewReader("a;b\n"))
			}, nil, func(m *sandboxtest.Message) bool { return bytes.Contains(m.Raw, []byte("\r\n--my-own-boundary\r\n")) },
		},
		"charset and encoding": {
			set(func(m *gomail.Msg) {
				m.SetCharset(gomail.CharsetISO88591)
				m.SetEncoding(gomail.EncodingB64)
				m.SetBodyString(gomail.TypeTextPlain, "Gr\xfc\xdfe\n")
			}), map[string]string{"Content-Transfer-Encoding": "base64"}, func(m *sandboxtest.Message) bool { return strings.TrimSpace(m.Text) == "Grüße" },
		},
		"embedded file": {
			func(m *gomail.Msg) error {
				m.SetBodyString(gomail.TypeTextHTML, `<img src="cid:logo">`)
				return m.EmbedReader("logo.png", strings.NewReader("x"), gomail.WithFileContentID("<logo>"))
			}, nil, func(m *sandboxtest.Message) bool {
				return bytes.Contains(m.Raw, []byte("<logo>")) && bytes.Contains(m.Raw, []byte("multipart/related"))
			},
		},
		"file options": {
			func(m *gomail.Msg) error {
				return m.AttachReader("a.bin", strings.NewReader("x"), gomail.WithFileName("b.pdf"), gomail.WithFileDescription("last week"), gomail.WithFileContentType("application/x-report"))
			}, nil, func(m *sandboxtest.Message) bool {
				return len(m.Attachments) == 1 && m.Attachments[0].Name == "b.pdf" && bytes.Contains(m.Raw, []byte("Content-Description: last week")) && bytes.Contains(m.Raw, []byte("application/x-report"))
			},
		},
		"PGP encryption": {
			set(func(m *gomail.Msg) {
				m.SetPGPType(gomail.PGPEncrypt)
				m.SetBoundary("pgp")
				m.SetBodyString("application/pgp-encrypted", "Version: 1\n", gomail.WithPartEncoding(gomail.NoEncoding))
				m.AddAlternativeString("application/octet-stream", "-----BEGIN PGP MESSAGE-----\n", gomail.WithPartEncoding(gomail.NoEncoding))
			}), nil, func(m *sandboxtest.Message) bool {
				return strings.HasPrefix(m.Header("Content-Type"), `multipart/encrypted; protocol="application/pgp-encrypted"`) && bytes.Contains(m.Raw, []byte("-----BEGIN PGP MESSAGE-----"))
			},
		},
		"PGP signature": {
			set(func(m *gomail.Msg) {
				m.SetPGPType(gomail.PGPSignature)
				m.SetBoundary("pgp")
			}), nil, func(m *sandboxtest.Message) bool {
				return strings.HasPrefix(m.Header("Content-Type"), `multipart/signed; protocol="application/pgp-signature"`)
			},
		},
		"date and Message-ID": {set(func(m *gomail.Msg) { m.SetMessageIDWithValue("1@contoso.example") }), map[string]string{"Message-ID": "<1@contoso.example>"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := sandboxtest.Start(t)
			if _, err := newClient(t, srv, smtpsend.Options{}).SendMsg(t.Context(), msg(t, c.change)); err != nil {
				t.Fatal(err)
			}
			got := only(t, srv)
			for field, want := range c.want {
				if got.Header(field) != want {
					t.Errorf("%s: %q, want %q", field, got.Header(field), want)
				}
			}
			if c.check != nil && !c.check(&got) {
				t.Errorf("got from %s to %q\n%s", got.Mailbox, got.To, got.Raw)
			}
		})
	}
}

// go-mail signs the octets that it writes; the signature holds of those that arrive.
func TestSendMsgLeavesMessagesWithDKIMAlone(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := msg(t, func(m *gomail.Msg) error {
		m.SetDKIM(gomail.NewDKIMSigner("contoso.example", "s1", key))
		m.SetEncoding(gomail.NoEncoding)
		m.SetBodyString(gomail.TypeTextPlain, "Grüße\n")
		return nil
	})
	srv := sandboxtest.Start(t)
	if _, err := newClient(t, srv, smtpsend.Options{}).SendMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if _, err := m.WriteTo(&again); err != nil {
		t.Fatal(err)
	}
	_, want, _ := bytes.Cut(again.Bytes(), []byte("\r\n\r\n"))
	got := only(t, srv)
	_, body, _ := bytes.Cut(got.Raw, []byte("\r\n\r\n"))
	if got.Header("DKIM-Signature") == "" || strings.TrimSpace(string(body)) != strings.TrimSpace(string(want)) {
		t.Errorf("got\n%s\nwritten\n%s", got.Raw, again.Bytes())
	}
}

func TestSendMsgTakesEnvelopeFromOrRefusesIt(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	receipt, err := newClient(t, srv, smtpsend.Options{}).SendMsg(t.Context(), msg(t, func(m *gomail.Msg) error { return m.EnvelopeFrom("bounces@contoso.example") }))
	if e, ok := errors.AsType[*smtpsend.Error](err); !ok || e.Finding.Code != "sendas-denied" || receipt.Mailbox != "bounces@contoso.example" {
		t.Errorf("got %v", err) // the stand-in lets a mailbox send as itself alone
	}
	client := newClient(t, srv, smtpsend.Options{Mailbox: "relay@contoso.example"})
	for path, refused := range map[string]bool{"bounces@contoso.example": true, "Relay@contoso.example": false} {
		_, err := client.SendMsg(t.Context(), msg(t, func(m *gomail.Msg) error {
			return errors.Join(m.From("relay@contoso.example"), m.EnvelopeFrom(path))
		}))
		if isMessageError(err, "EnvelopeFrom") != refused || (err != nil) != refused {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Text of others may be in any of these.
func TestSendMsgRefusesLineBreaks(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	const evil = "x\r\nEvil: yes"
	address := func(name, at string) *mail.Address { return &mail.Address{Name: name, Address: at} }
	attach := func(name string, o ...gomail.FileOption) func(*gomail.Msg) error {
		return func(m *gomail.Msg) error { return m.AttachReader(name, strings.NewReader("x"), o...) }
	}
	for name, change := range map[string]func(*gomail.Msg) error{
		"header name":                 set(func(m *gomail.Msg) { m.SetGenHeader("X\r\nEvil", "yes") }),
		"header name with a value":    set(func(m *gomail.Msg) { m.SetGenHeader("Evil: yes\r\nX", "y") }),
		"header name with a colon":    set(func(m *gomail.Msg) { m.SetGenHeader("Evil: yes", "y") }),
		"header value":                set(func(m *gomail.Msg) { m.SetGenHeader("X-Note", evil) }),
		"header value, line feed":     set(func(m *gomail.Msg) { m.SetGenHeader("X-Note", "one", "x\nEvil: yes") }),
		"header value in another set": set(func(m *gomail.Msg) { m.SetCharset("koi8-r"); m.SetGenHeader("X-Note", evil) }),
		"preformatted header name":    set(func(m *gomail.Msg) { m.SetGenHeaderPreformatted("Evil: yes\r\nX", "y") }),
		"preformatted header value":   set(func(m *gomail.Msg) { m.SetGenHeaderPreformatted("X-Note", evil) }),
		"end of the header section":   set(func(m *gomail.Msg) { m.SetGenHeaderPreformatted("X-Note", "x\r\n\r\nbody") }),
		"subject":                     set(func(m *gomail.Msg) { m.Subject(evil) }),
		"Message-ID":                  set(func(m *gomail.Msg) { m.SetMessageIDWithValue("1@contoso.example>\r\nEvil: yes\r\nX: <") }),
		"From, display name":          set(func(m *gomail.Msg) { m.FromMailAddress(address(evil, "noreply@contoso.example")) }),
		"To, display name":            set(func(m *gomail.Msg) { m.ToMailAddress(address(evil, "ada@contoso.example")) }),
		"Reply-To, display name":      set(func(m *gomail.Msg) { m.ReplyToMailAddress(address(evil, "ada@contoso.example")) }),
		"Reply-To, address":           set(func(m *gomail.Msg) { m.ReplyToMailAddress(address("", "ada@contoso.example>\r\nEvil: <yes")) }),
		"From, address":               set(func(m *gomail.Msg) { m.FromMailAddress(address("", "noreply@contoso.example>\r\nEvil: <yes")) }),
		"Bcc, address": set(func(m *gomail.Msg) {
			m.BccMailAddress(address("", "ada@contoso.example>\r\nRCPT TO:<eve@contoso.example"))
		}),
		"envelope from, address": set(func(m *gomail.Msg) { m.EnvelopeFromMailAddress(address("", "a@contoso.example>\r\nEvil: <yes")) }),
		"file name":              attach("a.txt\r\nEvil: yes"),
		"file name by an option": attach("a.txt", gomail.WithFileName(evil)),
		"file description":       attach("a.txt", gomail.WithFileDescription(evil)),
		"file encoding":          attach("a.txt", gomail.WithFileEncoding(gomail.Encoding(evil))),
		"file content type":      attach("a.txt", gomail.WithFileContentType(evil)),
		"Content-ID":             attach("a.txt", gomail.WithFileContentID(evil)),
		"header name of a file":  attach("a.txt", func(f *gomail.File) { f.Header["X\r\nEvil"] = []string{"yes"} }),
		"Content-ID of an embedded file": func(m *gomail.Msg) error {
			return m.EmbedReader("a", strings.NewReader("x"), gomail.WithFileContentID(evil))
		},
		"charset":                set(func(m *gomail.Msg) { m.SetCharset(evil) }),
		"charset of a part":      set(func(m *gomail.Msg) { m.SetBodyString(gomail.TypeTextPlain, "x", gomail.WithPartCharset(evil)) }),
		"content type of a part": set(func(m *gomail.Msg) { m.SetBodyString(evil, "x") }),
		"encoding of a part":     set(func(m *gomail.Msg) { m.SetBodyString(gomail.TypeTextPlain, "x", gomail.WithPartEncoding(evil)) }),
		"description of a part": set(func(m *gomail.Msg) {
			m.AddAlternativeString(gomail.TypeTextHTML, "x", gomail.WithPartContentDescription(evil))
		}),
		"MIME version":    set(func(m *gomail.Msg) { m.SetMIMEVersion(evil) }),
		"boundary":        func(m *gomail.Msg) error { m.SetBoundary(evil); return attach("a.txt")(m) },
		"boundary of PGP": set(func(m *gomail.Msg) { m.SetPGPType(gomail.PGPEncrypt); m.SetBoundary(evil) }),
		"middleware":      option(gomail.WithMiddleware(stamp{"X\r\nEvil", "yes"})),
	} {
		receipt, err := client.SendMsg(t.Context(), msg(t, change))
		if _, ok := errors.AsType[*smtpsend.MessageError](err); !ok || receipt != nil {
			t.Errorf("%s: %v, %v", name, receipt, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: the error has a line break", name)
		}
	}
	for _, got := range srv.Messages() {
		t.Errorf("it was sent:\n%s", got.Raw)
	}
}
