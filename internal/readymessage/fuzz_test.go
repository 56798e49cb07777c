package readymessage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// FuzzReencoding: what is looked at, and what memory is taken, grows with the
// message alone, however often a piece of it is repeated.
func FuzzReencoding(f *testing.F) {
	for _, piece := range []string{" y\r\n", "X: y\r\n", "--b\r\n", "--b--\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", "\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("z ", 500) + "\r\n", "Content-Type: text/plain; a=b;\r\n c*0=d; c*1=e\r\n", "Bcc: a,\r\n", "(", "=?utf-8?q?"} {
		f.Add(piece, uint16(2000), "\r\n")
	}
	f.Fuzz(func(t *testing.T, piece string, n uint16, end string) {
		if len(piece)*int(n) > 1<<20 {
			return
		}
		in := complete + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + strings.Repeat(piece, int(n)) + end + strings.Repeat("y", 1200)
		octets := mailtest.Taken(func() {
			raw, err := readymessage.Read(t.Context(), strings.NewReader(in), readymessage.Options{Reencode: readymessage.ReencodeLong})
			if err != nil {
				if !errors.As(err, new(*badinput.FieldError)) {
					t.Fatalf("%T: %v", err, err)
				}
				return
			}
			defer raw.Close()
			_, _ = raw.Recipients()
			checkRaw(t, raw, readymessage.Options{Reencode: readymessage.ReencodeLong})
		})
		if most := uint64(200*len(in) + 8<<20); octets > most {
			t.Fatalf("%d octets of %d times %q took %d", len(in), n, piece, octets)
		}
	})
}
