package readymessage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

func TestMailChecksDSN(t *testing.T) {
	for _, tt := range []struct {
		dsn   mailobject.DSN
		field string // that is refused, "" for none
	}{
		{mailobject.DSN{}, ""},
		{mailobject.DSN{Notify: "NEVER", Return: "FULL", EnvelopeID: "id 1"}, ""},
		{mailobject.DSN{Notify: "SUCCESS,FAILURE,DELAY"}, ""},
		{mailobject.DSN{Notify: "NEVER,SUCCESS"}, "notify"},
		{mailobject.DSN{Notify: "SUCCESS ORCPT=rfc822;x"}, "notify"},
		{mailobject.DSN{Return: "HDRS\r\nRCPT"}, "return"},
		{mailobject.DSN{EnvelopeID: "a\r\nRCPT TO:<x@y>"}, "envelope id"},
		{mailobject.DSN{EnvelopeID: strings.Repeat("x", 101)}, "envelope id"},
	} {
		raw, err := readymessage.Read(t.Context(), strings.NewReader("From: a@contoso.example\n\nx\n"), readymessage.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := raw.Mail(address.Address{}, []address.Address{contoso("b")}, tt.dsn, readymessage.Changes{})
		var field *badinput.FieldError
		switch {
		case tt.field == "" && (err != nil || m.Envelope.DSN != tt.dsn):
			t.Errorf("%+v: %v, %+v", tt.dsn, err, m)
		case tt.field != "" && (!errors.As(err, &field) || field.Field != tt.field):
			t.Errorf("%+v: error %v, want one about %s", tt.dsn, err, tt.field)
		}
		raw.Close()
	}
}
