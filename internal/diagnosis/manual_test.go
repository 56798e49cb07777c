package diagnosis_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

func TestManualHasASectionForEachCode(t *testing.T) {
	var b bytes.Buffer
	if err := diagnosis.WriteManual(&b); err != nil {
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
	if err := diagnosis.WriteManual(brokenPipe{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestShort(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"diagnostics", "5.2.252 SendAsDenied; a@b.example not allowed to send as c@d.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot submit message. 0.35250:0A000130[EndDiagnosticData]", "5.2.252 SendAsDenied; a@b.example not allowed to send as c@d.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied"},
		{"diagnostics without marks", "5.2.0 STOREDRV.Submission.Exception:X; Failed to process message due to a permanent exception with message Cannot submit message. 0.35250:0A000130, 1.36674:0A000000", "5.2.0 STOREDRV.Submission.Exception:X; Failed to process message due to a permanent exception with message Cannot submit message."},
		{"verdict kept", "5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message due to a permanent exception with message [BeginDiagnosticData]WASCL UserAction verdict is not None. Actual verdict is Suspend, ShowTierUpgrade.", "5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Actual verdict is Suspend"},
		{"lines joined", "5.7.3 Authentication\nunsuccessful", "5.7.3 Authentication unsuccessful"},
		{"long", strings.Repeat("ä", 400), strings.Repeat("ä", 148) + "..."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := diagnosis.Short(tt.text); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
