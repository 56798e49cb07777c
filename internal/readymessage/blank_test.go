package readymessage_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

func TestLinesOfBlanksInFieldsAreJoinedWhenAsked(t *testing.T) {
	t.Parallel()
	const text = "Subject: a \r\n   \r\n\t\r\n b\r\nX-End: c\r\n \r\n" + complete + "\r\n \r\nbody\r\n"
	const joined = "Subject: a    \t\r\n b\r\nX-End: c \r\n"
	for _, c := range []struct {
		text, want string
		join       bool
	}{
		{text, joined, true},
		{text, text[:strings.Index(text, complete)], false},
		{"DKIM-Signature: x\r\n" + text, "Subject: a \r\n   \r\n\t\r\n b\r\n", true},
	} {
		got := mailtest.Octets(t, rawMail(t, readRaw(t, c.text, readymessage.Options{}), readymessage.Changes{JoinBlank: c.join}))
		if !strings.Contains(got, c.want) || !strings.HasSuffix(got, "\r\n\r\n \r\nbody\r\n") {
			t.Errorf("got %q, want %q in it", got, c.want)
		}
	}
}
