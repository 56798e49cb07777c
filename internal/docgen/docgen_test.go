package docgen_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/docgen"
	"github.com/smtpsend/smtpsend/internal/setting"
)

func TestManualHasASectionForEachCode(t *testing.T) {
	var b bytes.Buffer
	if err := docgen.WriteErrors(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, e := range diagnosis.Entries() {
		if n := strings.Count(page, `<a id="`+e.Code+`"></a>`); n != 1 {
			t.Errorf("%s: %d anchors, want 1", e.Code, n)
		}
		if !strings.Contains(page, "](#"+e.Code+")") {
			t.Errorf("%s: no link in the list", e.Code)
		}
	}
	for _, want := range []string{
		"`550 5.7.30 Basic authentication is not supported for Client Submission`",
		"`535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant`",
		"`535 5.7.3 Authentication unsuccessful`",
		"`554 5.2.252 SendAsDenied`",
		"`432 4.3.2 Concurrent connections limit exceeded`",
		"AADSTS7000215", "AADSTS7000222", "AADSTS700213",
		"   Set-CASMailbox -Identity <mailbox> -SmtpClientAuthenticationDisabled $false",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the chapter lacks %q", want)
		}
	}
	for _, bad := range []string{"{mailbox}", "{client-id}", "{object-id}", "{tenant-id}", "{from}", "{recipient}"} {
		if strings.Contains(page, bad) {
			t.Errorf("the chapter has an unfilled %s", bad)
		}
	}
}

type brokenPipe struct{}

var errBroken = errors.New("broken")

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestManualReportsTheWriter(t *testing.T) {
	if err := docgen.WriteErrors(brokenPipe{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestSettingsHaveARowForEverySetting(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(docgen.Settings(), "\n"), "\n")
	if len(lines) != len(setting.All())+2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, s := range setting.All() {
		line := lines[i+2]
		if !strings.HasPrefix(line, "| `"+s.Variable()+"` | ") || strings.Count(line, "|")-strings.Count(line, `\|`) != 5 {
			t.Errorf("row %d: %s", i, line)
		}
	}
	if want := "| `SMTPSEND_SMTP_PORT` | SMTPPort / smtpPort | `587` | Port of the SMTP server. |"; lines[8] != want {
		t.Errorf("got  %s\nwant %s", lines[8], want)
	}
}
