package message_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"
	"github.com/smtpsend/smtpsend/internal/message"
)

func TestAttachmentsMayBeInMemory(t *testing.T) {
	t.Parallel()
	d := draft(t)
	d.HTML = `<p><img src="cid:logo"></p>`
	d.Inline = []message.Inline{{CID: "logo", Path: "logo.png", Octets: bytes.NewReader([]byte("\x89PNG\r\n\x1a\nimage"))}}
	d.Attachments = []message.Attachment{
		{Path: "report.csv", Octets: bytes.NewReader([]byte("a;b\n"))},
		{Path: "empty", Octets: bytes.NewReader(nil)},
	}
	m := compose(t, d)
	first := mailtest.Octets(t, m.Mail)
	for _, want := range []string{"YTtiCg==", "iVBORw0KGgppbWFnZQ==", "filename=\"report.csv\"", "text/csv", "image/png", "<logo>", "filename=\"empty\""} {
		if !strings.Contains(first, want) {
			t.Errorf("the message does not hold %q", want)
		}
	}
	if again := mailtest.Octets(t, m.Mail); again != first {
		t.Error("another attempt gives other octets")
	}
}
