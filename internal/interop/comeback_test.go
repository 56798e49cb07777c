//go:build linux

package interop_test

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// What smtp-server says twice and then no more, an outbox and a timer survive:
// the message goes out without anybody's doing. One half hour takes 180 ms.
func TestAMailboxComesBackBesideNodemailerServer(t *testing.T) {
	box := start(t, sandbox.Options{})
	dir, other := t.TempDir(), t.TempDir()
	cert := certificate(t, dir)
	certificate(t, other)
	keys, _ := publicKeys(t, box)
	options, err := json.Marshal(map[string]any{
		"cert": filepath.Join(dir, "cert.pem"), "key": filepath.Join(dir, "key.pem"), "keys": keys,
		"otherCert": filepath.Join(other, "cert.pem"), "otherKey": filepath.Join(other, "key.pem"),
		"audience": "https://outlook.office365.com", "appid": box.ClientID(),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "smtp-server.js", string(options))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s, line := serve(t, cmd, "listening on ")
	settings := append(at(t, box, strings.TrimPrefix(line, "listening on "), cert), "TIME_SCALE=10000")

	for name, tt := range map[string]struct {
		fault string
		code  int // of the run that meets it first
		words string
	}{
		"no service at connect": {`{"at":"connect","code":554,"message":"5.3.2 no service now"}`, 69, "which is paused: the server cannot be used: 554 5.3.2 no service now"},
		"busy at connect":       {`{"at":"connect","code":421,"message":"4.3.2 busy"}`, 75, "which is paused: the server cannot be reached: 421 4.3.2 busy"},
		"another certificate":   {`{"cert":"other"}`, 76, "which is paused: the server cannot be used: "},
		"no STARTTLS":           {`{"hide":"STARTTLS"}`, 76, "which is paused: the server cannot be used: "},
		"no AUTH":               {`{"hide":"AUTH"}`, 76, "which is paused: the server cannot be used: "},
		"nonsense to RCPT":      {`{"at":"rcpt","code":666,"message":"what"}`, 76, "which is paused: the server cannot be used: "},
		"sign-in refused":       {`{"at":"auth","code":535,"message":"5.7.8 no"}`, 77, "is held, and no message is lost"},
		"sign-in put off":       {`{"at":"auth","code":454,"message":"4.7.0 later"}`, 75, "which is paused: the server cannot be reached"},
		"sender not allowed":    {`{"at":"mail","code":550,"message":"5.7.60 SMTP; Client does not have permissions to send as this sender"}`, 77, "is held, and no message is lost"},
		"deferred at the end":   {`{"at":"data","code":451,"message":"4.3.0 later"}`, 75, "deferred"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, box, settings...)
			to := fmt.Sprintf("x%d@fabrikam.example", len(name)*1000+int(name[0]))
			wantExit(t, c.run(t, "hi", "send", "--queue", "--to", to), 0)
			s.forget("faults set")
			if _, err := io.WriteString(stdin, "["+strings.Repeat(tt.fault+",", 3)+tt.fault+"]\n"); err != nil {
				t.Fatal(err)
			}
			s.await(t, "faults set")
			c.environ = append(c.environ, "SMTPSEND_TIME_SCALE=1") // so that the first run meets no second connection
			wantExit(t, c.run(t, "", "queue", "run"), tt.code, tt.words)
			c.environ[len(c.environ)-1] = "SMTPSEND_TIME_SCALE=10000"
			wantExit(t, c.run(t, "", "queue", "release", "--mailbox", "noreply@contoso.example"), 0)
			wantExit(t, c.run(t, "", "queue", "retry", "--all"), 0)
			for range 200 {
				if r := c.run(t, "", "queue", "run"); r.code == 0 && strings.Contains(r.stdout, "1 accepted") {
					break
				}
			}
			s.await(t, `"user":`, to)
			wantExit(t, c.run(t, "", "queue", "why"), 0, "nothing waits")
		})
	}
}
