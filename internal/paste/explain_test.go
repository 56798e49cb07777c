package paste_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/paste"
)

// pasted is one text of testdata/pastes: a line "=== CODES :: whose words" and
// the text below it.
type pasted struct {
	file, tool, text string
	codes            []string // nil for none
}

func readPastes(t testing.TB) []pasted {
	t.Helper()
	files, err := filepath.Glob("testdata/pastes/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []pasted
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split("\n"+string(data), "\n=== ")[1:] {
			head, text, _ := strings.Cut(block, "\n")
			codes, tool, ok := strings.Cut(head, " :: ")
			if !ok { // a line of the text itself, as swaks prints them
				all[len(all)-1].text += "\n=== " + block
				continue
			}
			p := pasted{file: filepath.Base(file), tool: tool, text: text}
			if codes != "none" {
				p.codes = strings.Split(codes, ",")
			}
			all = append(all, p)
		}
	}
	return all
}

func codesOf(findings []diagnosis.Finding) string {
	var codes []string
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	return strings.Join(codes, ",")
}

// TestPastedTexts requires every text of the corpus, and prints the score.
func TestPastedTexts(t *testing.T) {
	all := readPastes(t)
	right := 0
	for _, p := range all {
		got := codesOf(paste.Explain(p.text, diagnosis.Facts{}))
		if want := strings.Join(p.codes, ","); got != want {
			t.Errorf("%s, %s: named %q, want %q\n%s", p.file, p.tool, got, want, p.text)
			continue
		}
		right++
	}
	t.Logf("%d of %d texts named rightly", right, len(all))
	if len(all) < 200 {
		t.Errorf("%d texts, want at least 200", len(all))
	}
}

// TestSamplesAreExplained walks the catalogue: the words alone name the same
// code as the structured symptom. Words of programs for the network need a host.
func TestSamplesAreExplained(t *testing.T) {
	for _, e := range diagnosis.Entries() {
		if e.Sample == "" {
			continue
		}
		for _, text := range append([]string{e.Sample}, e.Variants...) {
			if e.Fault != "" || !e.ServerCan && e.Token == nil {
				text += "\nsmtp.office365.com:587"
			}
			if got := paste.Explain(text, diagnosis.Facts{}); len(got) == 0 || got[0].Code != e.Code {
				t.Errorf("%s: sample %q is explained as %q", e.Code, text, codesOf(got))
			}
		}
	}
}

func TestExplainACode(t *testing.T) {
	for _, e := range diagnosis.Entries() {
		if got := paste.Explain(" "+e.Code+"\n", diagnosis.Facts{}); codesOf(got) != e.Code {
			t.Errorf("code %s is explained as %q", e.Code, codesOf(got))
		}
	}
}

// FuzzExplain: whatever is pasted, every finding is in the catalogue, says what
// it was recognised by, and carries no token.
func FuzzExplain(f *testing.F) {
	for _, p := range readPastes(f) {
		f.Add(p.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seen := map[string]bool{}
		for _, got := range paste.Explain(text, diagnosis.Facts{}) {
			if !got.Known() || seen[got.Code] {
				t.Errorf("%q: code %q is unknown or double", text, got.Code)
			}
			seen[got.Code] = true
			if len(got.Matched) == 0 && strings.TrimSpace(text) != got.Code {
				t.Errorf("%q: %s does not say by which words", text, got.Code)
			}
		}
	})
}

// TestExplainIsBounded gives Explain long texts of the worst kinds, one of them
// beyond its limit; the limit of the whole test run is the bound.
func TestExplainIsBounded(t *testing.T) {
	for name, unit := range map[string]string{
		"letters": "a", "codes": "535 5.7.3 ", "numbers": "AADSTS7000215 ", "escapes": `\\\\u003e`, "entities": "&amp;amp;lt;",
		"percent": "%2520", "base64": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ== ", "lines": "535-5.7.139 x\n", "hosts": "smtp.office365.com ETIMEDOUT\n",
		"dots": "5.7.\n", "tags": "<b ", "quoted-printable": "=3D=\n",
	} {
		t.Run(name, func(t *testing.T) {
			size := paste.MaxText / 16
			if name == "codes" {
				size = 2 * paste.MaxText
			}
			text := strings.Repeat(unit, size/len(unit))
			if got := paste.Explain(text, diagnosis.Facts{}); len(got) > 4 {
				t.Errorf("%d findings in a text of one kind", len(got))
			}
		})
	}
}

func TestExplainSaysByWhichWords(t *testing.T) {
	got := paste.Explain("x: 535 5.7.139 Authentication unsuccessful, SmtpClientAuth\nentication is disabled for the Tenant. Visit", diagnosis.Facts{Mailbox: "a@contoso.example"})
	if len(got) != 1 || len(got[0].Matched) != 1 || got[0].Matched[0] != "SmtpClientAuth entication is disabled for the Tenant" {
		t.Fatalf("got %+v", got)
	}
	if want := "Set-CASMailbox -Identity a@contoso.example -SmtpClientAuthenticationDisabled $false"; got[0].Fixes[0].Commands[1] != want {
		t.Errorf("command is %q, want %q", got[0].Fixes[0].Commands[1], want)
	}
}

func TestExplainTakesIDsFromTheText(t *testing.T) {
	id := "11111111-2222-3333-4444-555555555555"
	got := paste.Explain("AADSTS7000215: Invalid client secret provided. Ensure the secret is for a secret added to app '"+id+"'.", diagnosis.Facts{})
	if len(got) != 1 || !strings.Contains(got[0].Fixes[0].Commands[0], id) {
		t.Errorf("got %+v", got)
	}
}

// TestExplainTakesAddressesFromTheText: they stand before the words that name
// the refusal. The text itself is not given back.
func TestExplainTakesAddressesFromTheText(t *testing.T) {
	reply := "554 5.2.252 SendAsDenied; a@contoso.example not allowed to send as b@contoso.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed"
	got := paste.Explain("250 2.1.5 Recipient OK\nthe server answered: "+reply, diagnosis.Facts{})
	if len(got) != 1 || got[0].Text != "" {
		t.Fatalf("got %+v", got)
	}
	if want := "smtpsend send --from b@contoso.example --mailbox b@contoso.example"; got[0].Fixes[0].Commands[0] != want {
		t.Errorf("command is %q, want %q", got[0].Fixes[0].Commands[0], want)
	}
}

// TestOtherServersAreNamedWhereWeMetThemAlone: a pasted text may be any provider's.
// What our own client meets has these names (see the test of internal/diagnosis).
func TestOtherServersAreNamedWhereWeMetThemAlone(t *testing.T) {
	for text, code := range map[string]string{
		"535 5.7.8 Error: authentication failed: authentication failure":                       "auth-refused-elsewhere",
		"535 Authentication credentials invalid":                                               "auth-refused-elsewhere",
		"553 5.7.1 <a@b.example>: Sender address rejected: not owned by user c@b.example":      "sender-not-owned",
		"553 5.7.1 <a@b.example>: Sender address rejected: not owned by auth user c@b.example": "sender-not-owned",
	} {
		for _, f := range paste.Explain("mail.b.example said: "+text, diagnosis.Facts{}) {
			if f.Known() && f.Code == code {
				t.Errorf("%q is explained as %s", text, f.Code)
			}
		}
	}
}

// jwt is a token with this payload.
func jwt(payload string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc([]byte(payload)) + "." + enc([]byte("signature"))
}

// TestExplainReadsATokenInATranscript: the SASL response shows whom the token is for.
func TestExplainReadsATokenInATranscript(t *testing.T) {
	token := jwt(`{"aud":"https://graph.microsoft.com","appid":"a","exp":1}`)
	sasl := base64.StdEncoding.EncodeToString([]byte("user=a@contoso.example\x01auth=Bearer " + token + "\x01\x01"))
	got := paste.Explain("C: AUTH XOAUTH2 "+sasl+"\nS: 535 5.7.3 Authentication unsuccessful", diagnosis.Facts{})
	if codesOf(got) != "token-not-for-exchange" {
		t.Errorf("named %q", codesOf(got))
	}
	for _, f := range got {
		if strings.Contains(f.Text, token) || strings.Contains(strings.Join(f.Matched, ""), token) {
			t.Error("the finding carries the token")
		}
	}
}
