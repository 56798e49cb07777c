package relay_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

const hello = `
	S: 220
	C: EHLO device
	S: 250-
`

// Base64 of names and passwords. "Password1" is erp's, "Password2" is stray's.
const (
	erp       = "ZXJw"
	password1 = "UGFzc3dvcmQx"
	wrong     = "d3Jvbmc="
	plainErp  = "AGVycABQYXNzd29yZDE=" // "\0erp\0Password1"
	asOther   = "cm9vdABlcnAAUGFzc3dvcmQx"
	plainElse = "AHN0cmF5AFBhc3N3b3JkMg=="
)

// usersFile has erp and stray, by hashes that cost little.
func usersFile(t testing.TB) string {
	t.Helper()
	var lines strings.Builder
	for user, password := range map[string]string{"erp": "Password1", "stray": "Password2"} {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s:%s\n", user, hash)
	}
	return lines.String()
}

func TestWhoMaySubmit(t *testing.T) {
	const (
		mail     = "C: MAIL FROM:<a@contoso.example>\n"
		auth     = "listeners: [{address: 'smtp://127.0.0.1:0', policy: auth}]\nusers_file: users\nclients: [{name: erp, user: erp}]"
		tls      = "listeners: [{address: 'starttls://127.0.0.1:0', policy: auth, proxy_protocol_from: [192.0.2.1]}]\nusers_file: users\nclients: [{name: erp, user: erp}]"
		both     = "listeners: [{address: 'starttls://0.0.0.0:0', policy: ip-and-auth}]\nusers_file: users\nclients: [{name: erp, user: erp, networks: [192.0.2.0/24]}, {name: here, user: here, networks: [127.0.0.0/8]}]"
		signIn   = "C: AUTH PLAIN " + plainErp + "\nS: 235 2.7.0\n"
		stranger = "listeners: [{address: 'smtp://127.0.0.1:0'}]\nclients: [{name: other, networks: [127.0.0.2]}]"
	)
	tests := map[string]struct {
		settings, script string
		codes            []string
	}{
		"a stranger is told at MAIL": {stranger, mail +
			"S: 550 5.7.1 127.0.0.1 belongs to no client, and may not submit here: ask for a client with this address in the settings of the relay",
			[]string{"relay-not-allowed-here"}},
		"one that has to sign in": {auth, mail + "S: 530 5.7.0 127.0.0.1 has to sign in (AUTH) before it may submit: set a user name", []string{"relay-auth-required"}},
		"PLAIN in one step":       {auth, signIn + mail + "S: 250 2.1.0", nil},
		"PLAIN in two steps":      {auth, "C: AUTH PLAIN\nS: 334 \nC: " + plainErp + "\nS: 235 2.7.0\n" + mail + "S: 250 2.1.0", nil},
		"LOGIN with the prompts that devices know": {auth,
			"C: auth login\nS: 334 VXNlcm5hbWU6\nC: " + erp + "\nS: 334 UGFzc3dvcmQ6\nC: " + password1 + "\nS: 235\n" + mail + "S: 250", nil},
		"LOGIN with the name in the command": {auth, "C: AUTH LOGIN " + erp + "\nS: 334 UGFzc3dvcmQ6\nC: " + password1 + "\nS: 235\n" + mail + "S: 250", nil},
		"AUTH twice":                         {auth, signIn + signIn + mail + "S: 250", nil},
		"PLAIN to act as another":            {auth, "C: AUTH PLAIN " + asOther + "\nS: 535 5.7.8 the user name or the password is wrong", []string{"relay-auth-wrong"}},
		"another mechanism":                  {auth, "C: AUTH CRAM-MD5\nS: 504 5.5.4", []string{"relay-auth-mechanism"}},
		"a user without a client":            {auth, "C: AUTH PLAIN " + plainElse + "\nS: 235\n" + mail + "S: 550 5.7.1 the user \"stray\" belongs to no client", []string{"relay-user-without-client"}},
		"AUTH where no user would help":      {stranger, "C: AUTH PLAIN " + plainErp + "\nS: 502 5.5.1 127.0.0.1 cannot sign in here", []string{"relay-auth-not-offered"}},
		"the user of another network": {both, "C: STARTTLS\nS: 220\nT:\nC: EHLO device\nS: 250-\n" + signIn + mail +
			"S: 550 5.7.1 127.0.0.1 is not in the networks of client erp", []string{"relay-wrong-network-for-user"}},
		"AUTH before TLS": {tls, "C: AUTH PLAIN " + plainErp + "\nS: 538 5.7.11 Must issue a STARTTLS command first\n" + mail +
			"S: 530 5.7.0 Must issue a STARTTLS command first", []string{"relay-auth-in-clear", "relay-tls-required"}},
		"AUTH after TLS":        {tls, "C: STARTTLS\nS: 220\nT:\nC: EHLO device\nS: 250-\n" + signIn + mail + "S: 250", nil},
		"TLS forgets who it is": {strings.Replace(auth, "smtp:", "starttls:", 1), signIn + "C: STARTTLS\nS: 220\nT:\nC: EHLO device\nS: 250-\n" + mail + "S: 530 5.7.0", []string{"relay-auth-required"}},
	}
	file := usersFile(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, tt.settings, with{users: file})
			l.dial(l.first()).dialogue(hello + tt.script)
			if got := l.codes(); !slices.Equal(got, tt.codes) {
				t.Errorf("refused with %q, want %q", got, tt.codes)
			}
		})
	}
}

func TestAWrongPasswordIsToldAndItsNameKept(t *testing.T) {
	l := newLab(t, "listeners: [{address: 'smtp://127.0.0.1:0', policy: auth}]\nusers_file: users\nclients: [{name: erp, user: erp}]", with{users: usersFile(t)})
	c := l.dial(localhost).dialogue(hello + "C: AUTH LOGIN " + erp + "\nS: 334\nC: " + wrong + "\nS: 535 5.7.8\nC: QUIT\nS: 221")
	v := l.leave(c)
	if len(l.events()) != 1 || l.events()[0].Name != "erp" || l.events()[0].Exposed || v.Refusals != 1 || v.User != "" {
		t.Errorf("told %+v, visit %+v", l.events(), v)
	}
}

// A device that hangs up after a refusal is one line for its administrator, not two.
func TestHangingUpAfterARefusalIsNotToldAgain(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	c := l.dial(localhost).dialogue(hello + "C: MAIL FROM:<>\nS: 550")
	if v := l.leave(c); v.Broken == nil || v.Refusals != 1 {
		t.Errorf("visit %+v", v)
	}
	if got := l.codes(); !slices.Equal(got, []string{"relay-no-mailbox"}) {
		t.Errorf("refused with %q", got)
	}
}

func TestManyWrongPasswordsMakeAnAddressWait(t *testing.T) {
	l := newLab(t, "listeners: [{address: 'smtp://127.0.0.1:0', policy: auth}]\nusers_file: users\nclients: [{name: erp, user: erp}]",
		with{users: usersFile(t)})
	for i := range 10 {
		wrong := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\x00erp\x00wrong%d", i))
		_ = l.dial(localhost).dialogue(hello + "C: AUTH PLAIN " + wrong + "\nS: 535 5.7.8").conn.Close()
	}
	l.dial(localhost).dialogue(hello + "C: AUTH PLAIN " + plainErp + "\nS: 454 4.7.0 too many wrong passwords from 127.0.0.1: try again in some minutes")
	if got := l.codes(); !slices.Contains(got, "relay-auth-later") {
		t.Errorf("refused with %q", got)
	}
}

func TestAPasswordInClearIsSaidToBeExposed(t *testing.T) {
	l := newLab(t, "listeners: [{address: 'starttls://127.0.0.1:0', policy: auth, proxy_protocol_from: [192.0.2.1]}]\nusers_file: users\nclients: [{name: erp, user: erp}]", with{users: usersFile(t)})
	l.dial(l.first()).dialogue(hello + "C: AUTH LOGIN " + erp + "\nS: 538\nC: AUTH PLAIN " + plainErp + "\nS: 538")
	if l.events()[0].Exposed || !l.events()[1].Exposed {
		t.Errorf("told %+v", l.events())
	}
}

func TestEHLOOffersWhatHelps(t *testing.T) {
	file := usersFile(t)
	tests := map[string]struct {
		settings, script string
		has, not         []string
	}{
		"starttls in clear": {
			"listeners: [{address: 'starttls://127.0.0.1:0', policy: auth, proxy_protocol_from: [192.0.2.1]}]\nusers_file: users\nclients: [{name: erp, user: erp}]", "",
			[]string{"STARTTLS", "CHUNKING"}, []string{"AUTH"}},
		"starttls after TLS": {
			"listeners: [{address: 'starttls://127.0.0.1:0', policy: auth}]\nusers_file: users\nclients: [{name: erp, user: erp}]", "S: 220\nC: EHLO x\nS: 250\nC: STARTTLS\nS: 220\nT:",
			[]string{"AUTH LOGIN PLAIN"}, []string{"STARTTLS"}},
		"smtps": {
			"listeners: [{address: 'smtps://127.0.0.1:0', policy: auth, limits: {size: 1 MB}}]\nusers_file: users\nclients: [{name: erp, user: erp}]", "T:\nS: 220",
			[]string{"AUTH LOGIN PLAIN", "SIZE 1048576"}, []string{"STARTTLS"}},
		"by address": {local(anyone), "S: 220", []string{"8BITMIME", "SMTPUTF8", "DSN"}, []string{"AUTH", "STARTTLS"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, tt.settings, with{users: file})
			c := l.dial(l.first()).dialogue(tt.script)
			if name == "starttls in clear" {
				c.reply()
			}
			c.write("EHLO device\r\n")
			lines := strings.Split(c.reply(), "|")
			for _, word := range tt.has {
				if !slices.ContainsFunc(lines, func(l string) bool { return l[4:] == word }) {
					t.Errorf("%q is missing in %q", word, lines)
				}
			}
			for _, word := range tt.not {
				if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l[4:], word) }) {
					t.Errorf("%q is in %q", word, lines)
				}
			}
		})
	}
}

func TestSendersAndRecipients(t *testing.T) {
	const client = `{name: scanner, networks: [127.0.0.1], senders: [scanner@contoso.example], recipient_domains: [contoso.example]}`
	mail := "C: MAIL FROM:<scanner@contoso.example>\nS: 250\n"
	tests := map[string]struct {
		settings, script string
		codes            []string
	}{
		"another sender":       {local(client), "C: MAIL FROM:<boss@contoso.example>\nS: 550 5.7.1 client scanner may not use the sender \"boss@contoso.example\"", []string{"relay-sender-not-allowed"}},
		"not an address":       {local(client), "C: MAIL FROM:<a@@b>\nS: 5", nil},
		"null, and no mailbox": {local(anyone), "C: MAIL FROM:<>\nS: 550 5.7.1 mail without a sender has no mailbox", []string{"relay-no-mailbox"}},
		"root, and no domain":  {local(anyone), "C: MAIL FROM:<root>\nS: 550 5.7.1 the sender \"root\" has no domain and no mailbox", []string{"relay-no-mailbox"}},
		"root, completed":      {"domain: contoso.example\n" + local(anyone), "C: MAIL FROM:<root>\nS: 250", nil},
		"null, by the default": {"default_mailbox: noreply@contoso.example\n" + local(anyone), "C: MAIL FROM:<>\nS: 250", nil},
		"too large by SIZE":    {strings.Replace(local(anyone), `"}]`, `", limits: {size: 65536}}]`, 1), "C: MAIL FROM:<a@contoso.example> SIZE=65537\nS: 552 5.3.4 the message is larger than 65536 octets (0.1 MB)", []string{"relay-too-large"}},
		"BINARYMIME":           {local(anyone), "C: MAIL FROM:<a@contoso.example> BODY=BINARYMIME\nS: 555 5.5.4 BODY=BINARYMIME is not offered", []string{"relay-message-unreadable"}},
		"another domain":       {local(client), mail + "C: RCPT TO:<x@fabrikam.example>\nS: 550 5.7.1 client scanner may not write to fabrikam.example\nC: RCPT TO:<x@CONTOSO.example>\nS: 250", []string{"relay-recipient-elsewhere"}},
		"a local name":         {local(anyone), mail + "C: RCPT TO:<root>\nS: 550 5.1.1 \"root\" has no domain and no alias", []string{"relay-recipient-local"}},
		"not an address to":    {local(anyone), mail + "C: RCPT TO:<x..@y@z>\nS: 55", nil},
		"too many recipients":  {strings.Replace(local(anyone), `"}]`, `", limits: {recipients: 1}}]`, 1), mail + "C: RCPT TO:<x@contoso.example>\nS: 250\nC: RCPT TO:<y@contoso.example>\nS: 452 4.5.3 a message may have 1 recipients", []string{"relay-too-many-recipients"}},
		"as many as any may have": {strings.Replace(local(anyone), `"}]`, `", limits: {recipients: 1000, commands: 2000}}]`, 1),
			mail + strings.Repeat("C: RCPT TO:<x@contoso.example>\nS: 250\n", 1000) + "C: RCPT TO:<y@contoso.example>\nS: 452 4.5.3 a message may have 1000 recipients", []string{"relay-too-many-recipients"}},
		"a second one tried":    {local(client), "C: MAIL FROM:<boss@contoso.example>\nS: 550\n" + mail, []string{"relay-sender-not-allowed"}},
		"MAIL again is the one": {local(client), mail + mail + "C: RCPT TO:<x@contoso.example>\nS: 250", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, tt.settings, with{})
			l.dial(localhost).dialogue(hello + tt.script)
			if got := l.codes(); !slices.Equal(got, tt.codes) && tt.codes != nil {
				t.Errorf("refused with %q, want %q", got, tt.codes)
			}
		})
	}
}
