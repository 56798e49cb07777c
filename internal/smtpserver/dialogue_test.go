package smtpserver_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

const opening = `
	S: 220 test ready
	C: EHLO me.example
	S: 250-test Hello me.example
	S: 250 STARTTLS
`

const envelope = `
	C: MAIL FROM:<a@contoso.example>
	S: 250 2.1.0 from <a@contoso.example>
	C: RCPT TO:<b@contoso.example>
	S: 250 2.1.5 to <b@contoso.example>
`

func TestDialogues(t *testing.T) {
	tests := map[string]struct {
		script string
		stored int
	}{
		"one message": {opening + envelope + `
			C: DATA
			S: 354 go
			C: Subject: hi
			C:
			C: ..dots
			C: .
			S: 250 2.0.0 took 22 octets
			C: QUIT
			S: 221 2.0.0 bye`, 1},
		"HELO has one line":                   {"S: 220 test ready\nC: HELO me\nS: 250 test", 0},
		"EHLO without a name":                 {"S: 220 test ready\nC: EHLO\nS: 501 5.5.4 Invalid domain name", 0},
		"MAIL before EHLO":                    {"S: 220 test ready\nC: MAIL FROM:<>\nS: 503 5.5.2 Send hello first", 0},
		"MAIL twice":                          {opening + envelope + "C: MAIL FROM:<c@d>\nS: 503 5.5.2 Sender already specified", 0},
		"MAIL again after RSET":               {opening + envelope + "C: RSET\nS: 250 2.0.0 Resetting\nC: RCPT TO:<x>\nS: 503 5.5.2 Need mail command" + envelope, 0},
		"EHLO resets":                         {opening + envelope + "C: HELO me\nS: 250 test\nC: DATA\nS: 503 5.5.2 Need mail command", 0},
		"RCPT without MAIL":                   {opening + "C: RCPT TO:<a@b>\nS: 503 5.5.2 Need mail command", 0},
		"DATA without RCPT":                   {opening + "C: MAIL FROM:<>\nS: 250 2.1.0 from <>\nC: DATA\nS: 503 5.5.2 Need rcpt command", 0},
		"DATA with an argument":               {opening + envelope + "C: DATA now\nS: 501 5.5.4 Invalid arguments", 0},
		"unknown command":                     {opening + "C: MAKE MONEY\nS: 500 5.3.3 Unrecognized command", 0},
		"STARTTLS without a certificate":      {opening + "C: STARTTLS\nS: 500 5.3.3 Unrecognized command", 0},
		"control character in a command":      {opening + "C: MAIL FROM:<a\x00b@c>\nS: 501 5.5.4 Invalid arguments", 0},
		"case of verbs does not matter":       {opening + "C: mail from:<a@b> size=5\nS: 250 2.1.0 from <a@b>", 0},
		"local part alone":                    {opening + "C: MAIL FROM:<root>\nS: 250 2.1.0 from <root>", 0},
		"quoted bracket":                      {opening + `C: MAIL FROM:<"a>b"@c> BODY=8BITMIME` + "\nS: 250 2.1.0 from <\"a>b\"@c>", 0},
		"source route is dropped":             {opening + "C: MAIL FROM:<@x,@y:a@b>\nS: 250 2.1.0 from <a@b>", 0},
		"path without brackets":               {opening + "C: MAIL FROM:a@b\nS: 501 5.5.4 Invalid arguments", 0},
		"UTF-8 without SMTPUTF8":              {opening + "C: MAIL FROM:<jörg@b>\nS: 501 5.1.7 Invalid address", 0},
		"UTF-8 with SMTPUTF8":                 {opening + "C: MAIL FROM:<jörg@b> SMTPUTF8\nS: 250 2.1.0 from <jörg@b>\nC: RCPT TO:<é@b>\nS: 250 2.1.5 to <é@b>", 0},
		"unknown parameter":                   {opening + "C: MAIL FROM:<a@b> X=1\nS: 555 5.5.4 Unsupported option", 0},
		"DSN parameters":                      {opening + "C: MAIL FROM:<a@b> RET=HDRS ENVID=7\nS: 250 2.1.0 from <a@b>\nC: RCPT TO:<c@d> NOTIFY=NEVER\nS: 250 2.1.5 to <c@d>", 0},
		"bad SIZE":                            {opening + "C: MAIL FROM:<a@b> SIZE=-1\nS: 501 5.5.4 Invalid arguments", 0},
		"SIZE over the limit":                 {opening + "C: MAIL FROM:<a@b> SIZE=157286401\nS: 552 5.3.4 Message size exceeds fixed maximum message size", 0},
		"SIZE at the limit":                   {opening + "C: MAIL FROM:<a@b> SIZE=157286400\nS: 250 2.1.0 from <a@b>", 0},
		"empty forward-path":                  {opening + "C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>\nC: RCPT TO:<>\nS: 501 5.1.3 Invalid address", 0},
		"BINARYMIME needs BDAT":               {opening + "C: MAIL FROM:<a@b> BODY=BINARYMIME\nS: 250 2.1.0 from <a@b>\nC: RCPT TO:<c>\nS: 250 2.1.5 to <c>\nC: DATA\nS: 503 5.5.1 Bad sequence of commands", 0},
		"NOOP, VRFY":                          {opening + "C: NOOP\nS: 250 2.0.0 OK\nC: VRFY root\nS: 252 2.1.5 Cannot VRFY user", 0},
		"AUTH with initial response":          {opening + "C: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes", 0},
		"AUTH in two steps":                   {opening + "C: AUTH TEST\nS: 334␠\nC: c2VjcmV0\nS: 235 2.7.0 yes", 0},
		"AUTH with empty initial response":    {opening + "C: AUTH TEST =\nS: 535 5.7.3 no:␠", 0},
		"AUTH cancelled":                      {opening + "C: AUTH TEST\nS: 334␠\nC: *\nS: 501 5.7.0 Authentication cancelled\nC: NOOP\nS: 250 2.0.0 OK", 0},
		"AUTH with bad base64":                {opening + "C: AUTH TEST ???\nS: 501 5.5.2 Cannot decode response\nC: AUTH TEST\nS: 334␠\nC: ???\nS: 501 5.5.2 Cannot decode response", 0},
		"bad base64 for an unknown mechanism": {opening + "C: AUTH OTHER ???\nS: 504 5.7.4 Unrecognized authentication type", 0},
		"AUTH twice":                          {opening + "C: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes\nC: AUTH TEST c2VjcmV0\nS: 503 5.5.1 Bad sequence of commands", 0},
		"AUTH inside a transaction":           {opening + envelope + "C: AUTH TEST c2VjcmV0\nS: 503 5.5.1 Bad sequence of commands", 0},
		"AUTH before EHLO":                    {"S: 220 test ready\nC: AUTH TEST c2VjcmV0\nS: 503 5.5.2 Send hello first", 0},
		"second message on the same session":  {opening + envelope + "C: DATA\nS: 354 go\nC: x\nC: .\nS: 250 2.0.0 took 3 octets" + envelope + "C: DATA\nS: 354 go\nC: .\nS: 250 2.0.0 took 0 octets", 2},
		"ten errors end it":                   {opening + "C: A\nS: 500 5.3.3 Unrecognized command\nC: B\nS: 500 5.3.3 Unrecognized command\nC: C\nS: 500 5.3.3 Unrecognized command\nC: D\nS: 421 4.7.0 Too many errors on this connection, closing transmission channel", 0},
		"one recipient more than the maximum": {opening + envelope + "C: RCPT TO:<c@d>\nS: 250 2.1.5 to <c@d>\nC: RCPT TO:<e@f>\nS: 452 4.5.3 Too many recipients", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(t, smtpserver.Options{MaxErrors: 4, MaxRecipients: 2}, nil)
			h.dial(t).dialogue(tt.script)
			if got := len(h.box.all()); got != tt.stored {
				t.Errorf("stored %d messages; want %d", got, tt.stored)
			}
		})
	}
}
