package sandbox_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// TestEightBitIsGarbled as Exchange Online is reported to do: a client that wants to
// be read sends 7 bits.
func TestEightBitIsGarbled(t *testing.T) {
	const head = "From: " + mailbox + "\r\nTo: a@contoso.example\r\nMessage-ID: <1@contoso.example>\r\nDate: Mon, 30 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
	const mixed = head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
	for name, tt := range map[string]struct{ in, mail, want string }{
		"a subject":                 {"Subject: Störung a=b jetzt\r\n" + head + "\r\nx\r\n", "", "Subject: =?iso-8859-1?Q?St=C3=B6rung?= a=b jetzt\r\n"},
		"a subject, with SMTPUTF8":  {"Subject: Störung\r\n" + head + "\r\nx\r\n", " SMTPUTF8", "Subject: St??rung\r\n"},
		"text of a multipart":       {mixed + "\r\n-- \r\nfür\r\n--b--\r\n", " BODY=8BITMIME", "\r\n-- \r\nf??r\r\n--b--\r\n"},
		"a message within":          {mixed + "\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: ü\r\n\r\nfür\r\n--b--\r\n", "", "\r\n\r\nSubject: =?iso-8859-1?Q?=C3=BC?=\r\n\r\nf??r\r\n"},
		"text alone":                {head + "Content-Type: text/plain; charset=utf-8\r\n\r\nfür\r\n", " BODY=8BITMIME", "\r\n\r\nfür\r\n"},
		"an encoded text":           {mixed + "Content-Transfer-Encoding:\r\n quoted-printable\r\n\r\nfür =C3\r\n--b--\r\n", "", "\r\n\r\nfür =C3\r\n"},
		"a picture":                 {mixed + "\r\nx\r\n--b\r\nContent-Type: image/png\r\n\r\nü\r\n--b--\r\nü\r\n", "", "\r\n\r\nü\r\n--b--\r\nü\r\n"},
		"a long line":               {mixed + "\r\n" + strings.Repeat("ü", 5000) + "\r\n--b--\r\n", "", "\r\n\r\n" + strings.Repeat("??", 5000) + "\r\n--b--\r\n"},
		"a long line of the header": {"Subject: " + strings.Repeat("x ", 4000) + "end\r\n" + head + "\r\nx\r\n", "", "x end\r\nFrom: "},
	} {
		for _, without := range []bool{false, true} {
			o := sandbox.Options{}
			if without {
				o.Without, tt.want = []string{"garbles-8bit"}, tt.in
			}
			s := start(t, o)
			c := login(t, s)
			for _, line := range []string{"MAIL FROM:<" + mailbox + ">" + tt.mail, "RCPT TO:<a@contoso.example>", "DATA"} {
				c.cmd("%s", line)
			}
			if r := c.cmd("%s.", tt.in); r.Code != 250 {
				t.Fatalf("%s: %v", name, r)
			}
			got, ok := s.Raw("1")
			if !ok || !strings.Contains(string(got), tt.want) {
				t.Errorf("%s: %v, got\n%.900s\nwant in it\n%.900s", name, ok, got, tt.want)
			}
		}
	}
	if _, err := sandbox.Start(t.Context(), sandbox.Options{Without: []string{"slow"}}); err == nil || err.Error() != `fault "slow": is not there anyway` {
		t.Errorf("without what is not there: %v", err)
	}
}
