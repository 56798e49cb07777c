package readymessage_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// TestMutationsOfReadyMessages changes messages at random: no panic, no hang, no Bcc
// left, and what comes out is stable.
func TestMutationsOfReadyMessages(t *testing.T) {
	seeds := []string{
		complete + "To: a@x.example, Team: b@x.example;\r\nBcc: c@x.example,\r\n d@x.example\r\nSubject: =?utf-8?q?x?=\r\n\r\nbody\r\n.\r\n",
		"Resent-To: a@x.example\nResent-Bcc: b@x.example\nBcc: c@x.example\n" + complete + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("y", 1100) + "\n--b--\n",
	}
	pieces := []string{"\r", "\n", "\r\n", ":", " ", "\t", "\x00", "Bcc: q@x.example\r\n", "bCC :\n", "\r\n\r\n", "<", ">", "\"", "(", "--b", "From x\n", "\xe4", strings.Repeat("z", 1200)}
	rng := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 10_000 {
		s := seeds[rng.IntN(len(seeds))]
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(s) + 1)
			cut := min(len(s), at+rng.IntN(8))
			s = s[:at] + pieces[rng.IntN(len(pieces))] + s[cut:]
		}
		raw, err := readymessage.Read(t.Context(), strings.NewReader(s), readymessage.Options{Reencode: readymessage.ReencodeLong})
		if err != nil {
			if !errors.As(err, new(*badinput.FieldError)) {
				t.Fatalf("%v is no *FieldError for %q", err, s)
			}
			continue
		}
		taken++
		checkRaw(t, raw, readymessage.Options{Reencode: readymessage.ReencodeLong})
		_ = raw.Close()
	}
	if taken < 1000 {
		t.Errorf("only %d of 10,000 were taken", taken)
	}
}
