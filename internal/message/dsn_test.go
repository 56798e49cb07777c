package message_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/message"
)

func TestRawMailChecksDSN(t *testing.T) {
	for _, tt := range []struct {
		dsn   message.DSN
		field string // that is refused, "" for none
	}{
		{message.DSN{}, ""},
		{message.DSN{Notify: "NEVER", Return: "FULL", EnvelopeID: "id 1"}, ""},
		{message.DSN{Notify: "SUCCESS,FAILURE,DELAY"}, ""},
		{message.DSN{Notify: "NEVER,SUCCESS"}, "notify"},
		{message.DSN{Notify: "SUCCESS ORCPT=rfc822;x"}, "notify"},
		{message.DSN{Return: "HDRS\r\nRCPT"}, "return"},
		{message.DSN{EnvelopeID: "a\r\nRCPT TO:<x@y>"}, "envelope id"},
		{message.DSN{EnvelopeID: strings.Repeat("x", 101)}, "envelope id"},
	} {
		raw, err := message.ReadRaw(t.Context(), strings.NewReader("From: a@contoso.example\n\nx\n"), message.RawOptions{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := raw.Mail(message.Envelope{ForwardPaths: []string{"b@contoso.example"}, DSN: tt.dsn}, message.RawChanges{})
		var field *message.FieldError
		switch {
		case tt.field == "" && (err != nil || m.Envelope.DSN != tt.dsn):
			t.Errorf("%+v: %v, %+v", tt.dsn, err, m)
		case tt.field != "" && (!errors.As(err, &field) || field.Field != tt.field):
			t.Errorf("%+v: error %v, want one about %s", tt.dsn, err, tt.field)
		}
		raw.Close()
	}
}
