package sandbox_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

const mixed = "From: =?utf-8?q?J=C3=B6rg?= <noreply@contoso.example>\r\nTo: a@contoso.example\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n" +
	"Message-ID: <2@contoso.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n" +
	"--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n" +
	"--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n" +
	"--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>Grüße</b><script>alert(1)</script>\r\n--a--\r\n" +
	"--m\r\nContent-Type: application/pdf; name*=utf-8''%C3%BCber.pdf\r\nContent-Disposition: attachment;\r\n filename*=utf-8''%C3%BCber.pdf\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\nAw==\r\n--m--\r\n"

type apiMessage struct {
	SchemaVersion int    `json:"schema_version"`
	ID            string `json:"id"`
	Subject       string `json:"subject"`
	Text          string `json:"text"`
	HTML          string `json:"html"`
	Header        []struct{ Name, Value string }
	Attachments   []struct {
		Name        string
		ContentType string `json:"content_type"`
		Size        int64
	}
	Problem string
}

func TestAPI(t *testing.T) {
	s := start(t, sandbox.Options{Without: []string{"garbles-8bit"}})
	if r := login(t, s).submit(mailbox, mixed); r.Code != 250 {
		t.Fatalf("got %q", r)
	}
	plain := strings.Replace(s.URL(), "https:", "http:", 1)
	for _, base := range []string{s.URL(), plain} {
		var list struct {
			SchemaVersion int `json:"schema_version"`
			Total         int
			Messages      []inbox.Message
		}
		get(t, s, base+"/api/messages", &list)
		if list.SchemaVersion != 1 || list.Total != 1 || len(list.Messages) != 1 || list.Messages[0].Subject != "Grüße" {
			t.Fatalf("got %+v", list)
		}
		var m apiMessage
		get(t, s, base+"/api/messages/"+list.Messages[0].ID, &m)
		if m.SchemaVersion != 1 || m.Subject != "Grüße" || m.Text != "Grüße" || !strings.HasPrefix(m.HTML, "<b>Grüße</b>") || m.Problem != "" {
			t.Errorf("got %+v", m)
		}
		if len(m.Header) != 6 || m.Header[0].Name != "From" || m.Header[0].Value != "Jörg <noreply@contoso.example>" {
			t.Errorf("header %+v", m.Header)
		}
		if len(m.Attachments) != 1 || m.Attachments[0].Name != "über.pdf" || m.Attachments[0].ContentType != "application/pdf" || m.Attachments[0].Size != 4 {
			t.Errorf("attachments %+v", m.Attachments)
		}
		if raw := fetch(t, s, http.MethodGet, base+"/api/messages/"+m.ID+"/raw", 200); raw != mixed {
			t.Errorf("raw: got %q", raw)
		}
		inbox := fetch(t, s, http.MethodGet, base+"/", 200)
		if !strings.Contains(inbox, `<a href="/messages/1">Grüße</a>`) {
			t.Errorf("inbox: %s", inbox)
		}
		one := fetch(t, s, http.MethodGet, base+"/messages/1", 200)
		if !strings.Contains(one, "<iframe sandbox srcdoc=") || strings.Contains(one, "<script>") {
			t.Errorf("message: %s", one)
		}
	}
	for _, path := range []string{"/", "/messages/1"} {
		resp, err := http.Get(plain + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s may be framed by others: %s", path, policy)
		}
	}
	fetch(t, s, http.MethodGet, plain+"/api/messages/2", 404)
	fetch(t, s, http.MethodDelete, plain+"/api/messages", 204)
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d messages after DELETE", n)
	}
}

func fetch(t *testing.T, s *sandbox.Sandbox, method, url string, status int) string {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := httpClient(t, s).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Errorf("%s %s: got %s, %v; want %d", method, url, resp.Status, err, status)
	}
	return string(body)
}

func TestForeignHostNamesAreRefused(t *testing.T) {
	s := start(t, sandbox.Options{})
	for host, want := range map[string]string{"evil.example": "421", "localhost:1": "200", "[::1]:80": "200"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "https://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /api/messages HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+want+" ") {
			t.Errorf("%s: got %q, %v; want %s", host, line, err, want)
		}
		_ = conn.Close()
	}
}

func TestScenarioFile(t *testing.T) {
	sc, err := tenant.ParseScenario([]byte(`{"domain": "fabrikam.example", "mailboxes": [{"address": "post@fabrikam.example", "smtp_auth": "on"}],
		"applications": [{"client_id": "33333333-3333-3333-3333-333333333333", "client_secret": "s3cret", "rbac_scope": ["post@fabrikam.example"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, sandbox.Options{Scenario: sc})
	if s.ClientID() != "33333333-3333-3333-3333-333333333333" || s.ClientSecret() != "s3cret" || s.MailSender() != "post@fabrikam.example" {
		t.Errorf("got %v", s.Env())
	}
	if r := secure(t, s).cmd("AUTH XOAUTH2 %s", initial(t, s.MailSender(), token(t, s))); r.Code != 235 {
		t.Errorf("got %q", r)
	}
	for _, bad := range []string{``, `{"colour": 1}`, `{"mailboxes": [{"address": "a@b", "smtp_auth": "maybe"}]}`} {
		if _, err := tenant.ParseScenario([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}

// FuzzDetail: whatever content is, it is shown, as valid JSON and without more
// attachment than there was content.
func FuzzDetail(f *testing.F) {
	f.Add([]byte(mixed))
	f.Add([]byte(strings.Repeat("Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n", 50)))
	f.Add([]byte("Content-Type: text/plain; charset=nonsense\r\n\r\n\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := json.Marshal(inbox.ReadDetail(inbox.Message{}, bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		var m apiMessage
		if err := json.Unmarshal(out, &m); err != nil {
			t.Fatal(err)
		}
		for _, field := range m.Header {
			if strings.ContainsAny(field.Name, "\n") {
				t.Errorf("field %q has a line end", field.Name)
			}
		}
		for _, a := range m.Attachments {
			if a.Size > int64(len(in)) {
				t.Errorf("attachment of %d octets in content of %d", a.Size, len(in))
			}
		}
	})
}
