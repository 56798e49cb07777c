package diagnosis_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

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
