package paste_test

import (
	"slices"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/paste"
)

// TestWhatSmtpsendNamedKeepsItsName: it saw more than the words that it quotes.
func TestWhatSmtpsendNamedKeepsItsName(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"smtpsend: error: The server may have accepted the message\nsmtpsend: said: EOF\nsmtpsend: more: smtpsend explain in-doubt\n", []string{"in-doubt"}},
		{"Nov 30 03:12:07 db1 report[77]: smtpsend: said: 535 5.7.3 Authentication unsuccessful\r\n" +
			"Nov 30 03:12:07 db1 report[77]: smtpsend: more: smtpsend explain token-not-for-exchange\r\n" +
			"Nov 30 03:13:07 db1 report[77]: smtpsend: more: smtpsend explain tls-intercepted\r\n" +
			"Nov 30 03:14:07 db1 report[77]: smtpsend: more: smtpsend explain token-not-for-exchange\r\n", []string{"token-not-for-exchange", "tls-intercepted"}},
		{"    more: smtpsend explain no-such-code\n535 5.7.3 Authentication unsuccessful", []string{"auth-unsuccessful"}},
		{"I ran smtpsend explain in-doubt and got 535 5.7.3 Authentication unsuccessful", []string{"auth-unsuccessful"}},
	} {
		found := paste.Explain(tt.text, diagnosis.Facts{})
		var codes []string
		for _, f := range found {
			codes = append(codes, f.Code)
		}
		if !slices.Equal(codes, tt.want) {
			t.Errorf("%q: %q, want %q", tt.text, codes, tt.want)
		}
	}
}
