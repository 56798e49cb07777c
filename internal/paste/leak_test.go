package paste_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/paste"
)

// secrets are what people paste without meaning to.
type secrets struct {
	token, assertion, refresh string // JWTs of Entra ID, and what is none
	client                    string // a client secret of Entra ID
	key                       string // of another service
	password                  string
	inside                    []string // what only the token tells, and no command needs
}

const (
	claimedApp, claimedObject, claimedTenant = "0a1b2c3d-1111-4222-8333-444455556666", "0a1b2c3d-7777-4888-9999-aaaabbbbcccc", "0a1b2c3d-dddd-4eee-8fff-000011112222"
	alphabet                                 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

func letters(random *rand.Rand, from string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[random.IntN(len(from))]
	}
	return string(b)
}

// newJWT is a token of Entra ID as it really is: some 1,500 octets, of which 342
// are an RS256 signature.
func newJWT(random *rand.Rand, inside []string) string {
	e := base64.RawURLEncoding
	signature := make([]byte, 256)
	for i := range signature {
		signature[i] = byte(random.Uint32())
	}
	thumbprint := letters(random, alphabet+"-_", 27)
	payload, _ := json.Marshal(map[string]any{
		"aud": "https://outlook.office365.com", "iss": "https://sts.windows.net/" + claimedTenant + "/", "iat": 1764489600, "nbf": 1764489600, "exp": 1764493500,
		"aio": inside[0], "app_displayname": "mailer", "appid": claimedApp, "appidacr": "1", "idp": "https://sts.windows.net/" + claimedTenant + "/", "idtyp": "app",
		"oid": claimedObject, "rh": inside[1], "roles": []string{"SMTP.SendAsApp"}, "sid": "00" + letters(random, "0123456789abcdef", 30), "sub": claimedObject, "tid": claimedTenant,
		"uti": inside[2], "ver": "1.0", "wids": []string{"0997a1d0-0d1d-4acb-b408-d5ca73121e90"}, "xms_ftd": inside[3], "xms_idrel": "7 20", "xms_tnt_fct": "3 4",
	})
	header := `{"typ":"JWT","nonce":"` + letters(random, alphabet, 43) + `","alg":"RS256","x5t":"` + thumbprint + `","kid":"` + thumbprint + `"}`
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString(payload) + "." + e.EncodeToString(signature)
}

// newSecrets makes secrets of seed; the passwords have all that passwords have.
func newSecrets(seed uint64) secrets {
	random := rand.New(rand.NewPCG(seed, 7))
	s := secrets{}
	for _, n := range []int{44, 52, 22, 60} {
		s.inside = append(s.inside, letters(random, alphabet+"-_", n))
	}
	s.token, s.assertion = newJWT(random, s.inside), newJWT(random, s.inside)
	s.refresh = "1.AVEA" + letters(random, alphabet+"-_", 40) + ".AgABAwEAAAD" + letters(random, alphabet+"-_", 900)
	s.client = letters(random, alphabet, 3) + "8Q~" + letters(random, alphabet+"-_.~", 33) + letters(random, alphabet, 1)
	s.key = "sk-proj-" + letters(random, alphabet, 48)
	switch seed % 4 {
	case 0:
		s.password = letters(random, alphabet, 14)
	case 1:
		s.password = letters(random, alphabet, 4) + "&" + letters(random, alphabet, 5) + "%" + letters(random, alphabet, 4) + "+/=!" + letters(random, alphabet, 9) + "#1"
	case 2:
		s.password = letters(random, alphabet, 9) + ":" + letters(random, alphabet, 8) + "@" + letters(random, alphabet, 9) + ";$2"
	case 3:
		s.password = letters(random, alphabet, 10) + "~" + letters(random, alphabet, 10) + "*" + letters(random, alphabet, 3) + "^(3)" + letters(random, alphabet, 9)
	}
	return s
}

// all are the texts that must not come back.
func (s secrets) all() []string {
	return append([]string{s.token, s.assertion, s.refresh, s.client, s.key, s.password}, s.inside...)
}

// sasl is the response of XOAUTH2.
func (s secrets) sasl() string {
	return b64("user=noreply@contoso.example\x01auth=Bearer " + s.token + "\x01\x01")
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// lined breaks a text into lines of n octets, each with a prefix.
func lined(text string, n int, end, prefix string) string {
	var b strings.Builder
	for ; len(text) > n; text = text[n:] {
		b.WriteString(text[:n] + end + prefix)
	}
	return b.String() + text
}

// asJSON is value as a text in JSON, n times.
func asJSON(value string, n int) string {
	for range n {
		quoted, _ := json.Marshal(value)
		value = string(quoted)
	}
	return value
}

// dump is text as curl --trace writes it.
func dump(text string) string {
	var b strings.Builder
	for at := 0; at < len(text); at += 16 {
		line := text[at:min(len(text), at+16)]
		fmt.Fprintf(&b, "%04x: %-48s%s\n", at, fmt.Sprintf("% x", line)+" ", strings.Map(func(r rune) rune {
			if r < ' ' {
				return '.'
			}
			return r
		}, line))
	}
	return b.String()
}

// hexdump is text as hexdump -C writes it.
func hexdump(text string) string { return hex.Dump([]byte(text)) }

// softBreaks is text in quoted-printable, with breaks wherever a line is full.
func softBreaks(text string) string {
	var b strings.Builder
	column := 0
	for _, octet := range []byte(text) {
		as := string([]byte{octet})
		if octet == '=' || octet > 0x7e || octet < ' ' && octet != '\n' && octet != '\r' {
			as = fmt.Sprintf("=%02X", octet)
		}
		if column += len(as); column > 75 {
			b.WriteString("=\r\n")
			column = len(as)
		}
		if b.WriteString(as); octet == '\n' {
			column = 0
		}
	}
	return b.String()
}

const refusedReply = "535 5.7.3 Authentication unsuccessful [AM0PR04CA0001.eurprd04.prod.outlook.com 2026-11-30T08:00:00.000Z 08DD2E0F0D5F0A7C]"

// pasteForms are forms in which credentials are pasted, each beside an error.
func pasteForms(s secrets) map[string]string {
	plain := b64("\x00noreply@contoso.example\x00" + s.password)
	form := url.Values{"client_id": {claimedApp}, "client_secret": {s.client}, "client_assertion": {s.assertion}, "grant_type": {"client_credentials"}, "refresh_token": {s.refresh}, "password": {s.password}}.Encode()
	answer := `{"token_type":"Bearer","expires_in":3599,"access_token":"` + s.token + `","refresh_token":"` + s.refresh + `","id_token":"` + s.assertion + `"}`
	quoted, _ := json.Marshal(s.password)
	jsonPassword := string(quoted)
	stamp := "2026-11-30T08:00:01.123Z app[4711]: "
	return map[string]string{
		"a bare token": s.token + "\n" + refusedReply, "a token behind the error": refusedReply + "\n" + s.token, "a token in words": "my token is " + s.token + " and I get " + refusedReply,
		"a cut token": s.token[:400] + "...\n" + refusedReply, "a header of HTTP": "Authorization: Bearer " + s.token + "\n" + refusedReply, "auth=Bearer": "auth=Bearer " + s.token + "\n" + refusedReply,
		"token=": "token=" + s.token + "\n" + refusedReply, "access_token": `"access_token": "` + s.token + "\"\n" + refusedReply, "an answer in JSON": answer + "\n" + refusedReply,
		"an answer in JSON, quoted": asJSON(answer, 1) + "\n" + refusedReply, "an answer in JSON, quoted twice": asJSON(answer, 2) + "\n" + refusedReply,
		"a form": "POST /token HTTP/1.1\n\n" + form + "\nAADSTS7000215: Invalid client secret provided.", "a form in a URL": "https://login.microsoftonline.com/x/token?" + form + " AADSTS7000215: Invalid client secret provided.",
		"a form, encoded twice": url.QueryEscape(form) + " AADSTS7000215", "a client assertion": "client_assertion=" + s.assertion + "\n" + refusedReply,
		"XOAUTH2": "C: AUTH XOAUTH2 " + s.sasl() + "\nS: " + refusedReply, "XOAUTH2 in two steps": "C: AUTH XOAUTH2\nS: 334 \nC: " + s.sasl() + "\nS: " + refusedReply,
		"XOAUTH2 in clear": "user=noreply@contoso.example^Aauth=Bearer " + s.token + "^A^A\n" + refusedReply, "OAUTHBEARER": "AUTH OAUTHBEARER " + b64("n,a=noreply@contoso.example,\x01host=x\x01auth=Bearer "+s.token+"\x01\x01") + "\n" + refusedReply,
		"XOAUTH2, wrapped": "AUTH XOAUTH2 " + lined(s.sasl(), 76, "\n", "") + "\n" + refusedReply, "a wrapped token": "Authorization: Bearer " + lined(s.token, 80, "\n", "") + "\n" + refusedReply,
		"a token in mail": "> Authorization: Bearer " + lined(s.token, 70, "\n", "> ") + "\n> " + refusedReply, "a token in a log": stamp + "Bearer " + lined(s.token, 100, "\n", stamp) + "\n" + stamp + refusedReply,
		"a token in Python": "token = ('" + lined(s.token, 60, "'\n         '", "") + "')\n" + refusedReply, "a token in a shell": "TOKEN=" + lined(s.token, 70, "\\\n", "") + "\n" + refusedReply,
		"quoted-printable": "Content-Transfer-Encoding: quoted-printable\n\n" + softBreaks("Authorization: Bearer "+s.token+" "+refusedReply), "soft breaks alone": "Bearer " + lined(s.token, 75, "=\n", "") + "\n" + refusedReply,
		"base64 of a log": b64("Authorization: Bearer "+s.token+"\npassword="+s.password+"\n"+refusedReply) + "\n" + refusedReply, "base64 of a log, wrapped": lined(b64("POST /\nAuthorization: Bearer "+s.token+"\npassword="+s.password+"\n"), 76, "\r\n", "") + "\n" + refusedReply,
		"base64 in base64": b64("see "+b64("token "+s.token)+"\npassword: "+s.password) + "\n" + refusedReply, "base64 in a log": stamp + lined(b64("client_secret="+s.client+"&password="+s.password+"&x=1"), 60, "\n", stamp) + "\n" + stamp + refusedReply,
		"UTF-16 in base64": b64(utf16LE("$p = ConvertTo-SecureString '"+s.password+"' -AsPlainText")) + "\n" + refusedReply,
		"hexadecimal":      hex.EncodeToString([]byte("AUTH XOAUTH2 "+s.sasl())) + "\n" + refusedReply, "a dump of curl": "=> Send SSL data\n" + dump("AUTH XOAUTH2 "+s.sasl()+"\r\n") + refusedReply,
		"hexdump -C": hexdump("EHLO x\r\nAUTH PLAIN "+plain+"\r\n") + refusedReply, "a dump in a log": stamp + strings.ReplaceAll(strings.TrimSpace(hexdump("AUTH PLAIN "+plain+"\r\npassword="+s.password)), "\n", "\n"+stamp) + "\n" + refusedReply,
		"HTML":         "<pre>Authorization: Bearer " + html.EscapeString(s.token) + "<br>password = &quot;" + html.EscapeString(s.password) + "&quot;<br>" + refusedReply + "</pre>",
		"XML":          "<settings><password>" + html.EscapeString(s.password) + "</password><clientSecret>" + s.client + "</clientSecret></settings>\n" + refusedReply,
		"XML, escaped": html.EscapeString("<smtp password=\""+html.EscapeString(s.password)+"\" secret='"+s.client+"'/>") + "\n" + refusedReply,
		"web.config":   `<add key="SmtpPassword" value="` + html.EscapeString(s.password) + `" /><network host="smtp.office365.com" userName="x" password="` + html.EscapeString(s.password) + "\" />\n" + refusedReply,
		"AUTH PLAIN":   "AUTH PLAIN " + plain + "\n" + refusedReply, "AUTH PLAIN in two steps": "AUTH PLAIN\n334\n" + plain + "\n" + refusedReply,
		"AUTH LOGIN": "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + b64("noreply@contoso.example") + "\nS: 334 UGFzc3dvcmQ6\nC: " + b64(s.password) + "\nS: " + refusedReply,
		"AUTH LOGIN of PHPMailer": "2026-11-30 08:00:00 CLIENT -> SERVER: AUTH LOGIN\n2026-11-30 08:00:00 SERVER -> CLIENT: 334 VXNlcm5hbWU6\n2026-11-30 08:00:00 CLIENT -> SERVER: " + b64("noreply@contoso.example") +
			"\n2026-11-30 08:00:00 SERVER -> CLIENT: 334 UGFzc3dvcmQ6\n2026-11-30 08:00:00 CLIENT -> SERVER: " + b64(s.password) + "\n2026-11-30 08:00:00 SERVER -> CLIENT: " + refusedReply,
		"AUTH LOGIN of Python":   "send: 'AUTH LOGIN " + b64("noreply@contoso.example") + "\\r\\n'\nreply: b'334 UGFzc3dvcmQ6\\r\\n'\nreply: retcode (334); Msg: b'UGFzc3dvcmQ6'\nsend: '" + b64(s.password) + "\\r\\n'\nreply: b'" + refusedReply + "\\r\\n'",
		"AUTH LOGIN of JavaMail": "DEBUG SMTP: Attempt to authenticate using mechanisms: LOGIN PLAIN\nAUTH LOGIN\n334 VXNlcm5hbWU6\n" + b64("noreply@contoso.example") + "\n334 UGFzc3dvcmQ6\n" + b64(s.password) + "\n" + refusedReply,
		"AUTH LOGIN of swaks":    " -> AUTH LOGIN\n<-  334 VXNlcm5hbWU6\n -> " + b64("noreply@contoso.example") + "\n<-  334 UGFzc3dvcmQ6\n -> " + b64(s.password) + "\n<** " + refusedReply,
		"a URL":                  "smtp://noreply:" + url.QueryEscape(s.password) + "@smtp.office365.com:587 says " + refusedReply, "a URL as it should not be": "smtp://noreply@contoso.example:" + s.password + "@smtp.office365.com:587/ says " + refusedReply,
		"a URL as an address": "smtp://noreply:" + s.password + "@smtp.office365.com not allowed to send as b@contoso.example 554 5.2.252 SendAsDenied [x.prod.outlook.com]",
		"no URL":              "noreply@contoso.example:" + s.password + "@smtp.office365.com:587 " + refusedReply, "curl -u": "curl -v --url smtp://smtp.office365.com:587 -u 'noreply@contoso.example:" + s.password + "' -T x\n< " + refusedReply,
		"curl -v": "> POST /token HTTP/1.1\n> Authorization: Basic " + b64(claimedApp+":"+s.client) + "\n> Content-Type: x\n< HTTP/1.1 401\nAADSTS7000215: Invalid client secret provided.",
		"swaks":   "swaks --server smtp.office365.com --auth LOGIN --auth-user x --auth-password '" + s.password + "'\n" + refusedReply, "swaks in short": "swaks -s smtp.office365.com -a -au x -ap '" + s.password + "'\n" + refusedReply,
		"nodemailer": "auth: { user: 'noreply@contoso.example', pass: '" + s.password + "' }\nError: Invalid login: " + refusedReply, "nodemailer, OAuth": "auth: { type: 'OAuth2', user: 'x', clientId: '" + claimedApp + "', clientSecret: '" + s.client + "', refreshToken: '" + s.refresh + "', accessToken: '" + s.token + "' }\n" + refusedReply,
		"PHPMailer": "$mail->Username = 'noreply@contoso.example';\n$mail->Password = '" + s.password + "';\nSMTP ERROR: Password command failed: " + refusedReply, "PHP's print_r": "Array ( [username] => x\n [password] => " + s.password + "\n)\n" + refusedReply,
		"PHP's var_dump": "[\"password\"]=>\n  string(20) \"" + s.password + "\"\n" + refusedReply, "Python": "server.login(\"noreply@contoso.example\", \"" + s.password + "\")\nsmtplib.SMTPAuthenticationError: (535, b'" + refusedReply[4:] + "')",
		"MailKit": "client.Authenticate (\"noreply@contoso.example\", \"" + s.password + "\");\nMailKit.Security.AuthenticationException: " + refusedReply, "JavaMail": "props.put(\"mail.smtp.password\", \"" + s.password + "\");\njavax.mail.AuthenticationFailedException: " + refusedReply,
		"JavaMail's authenticator": "return new PasswordAuthentication(\"x\", \"" + s.password + "\");\n" + refusedReply, ".NET": "new NetworkCredential(\"x\", \"" + s.password + "\")\n" + refusedReply,
		"Go": "smtp.PlainAuth(\"\", \"x@contoso.example\", \"" + s.password + "\", \"smtp.office365.com\")\n" + refusedReply, "msmtp": "account default\nhost smtp.office365.com\nuser x\npassword " + s.password + "\nmsmtp: server message: " + refusedReply,
		"netrc": "machine smtp.office365.com login x password " + s.password + "\n" + refusedReply, "postfix": "[smtp.office365.com]:587 noreply@contoso.example:" + s.password + "\n" + refusedReply,
		"PowerShell": "$p = ConvertTo-SecureString '" + s.password + "' -AsPlainText -Force\nSend-MailMessage : The server response was: 5.7.3 Authentication unsuccessful [AM0PR04CA0001.eurprd04.prod.outlook.com]", "PowerShell's string": "ConvertTo-SecureString -String \"" + s.password + "\" -AsPlainText\n" + refusedReply,
		"PowerShell's list":        "DisplayName : mailer\nSecretText  : " + s.client + "\nHint        : abc\n" + refusedReply,
		"PowerShell's table":       "Hint SecretText                               EndDateTime\n---- ----------                               -----------\nabc  " + s.client + " 30/11/2028\n\n" + refusedReply,
		"PowerShell's environment": "Name                           Value\n----                           -----\nSMTP_PASSWORD                  " + s.password + "\nPATH                           /bin\n\n" + refusedReply,
		"an environment":           "SMTP_PASSWORD=" + s.password + "\nSMTPSEND_OFFICE_CLIENT_SECRET=" + s.client + "\nAZURE_CLIENT_SECRET='" + s.client + "'\nOPENAI_API_KEY=" + s.key + "\n" + refusedReply, "an environment with export": "export SMTP_PASS=\"" + s.password + "\"\n" + refusedReply,
		"YAML": "smtp:\n  user: x\n  password: " + s.password + "\n  clientSecret: '" + s.client + "'\n" + refusedReply, "YAML of Kubernetes": "env:\n- name: SMTP_PASSWORD\n  value: '" + s.password + "'\n- name: AZURE_CLIENT_SECRET\n  value: " + s.client + "\n" + refusedReply,
		"JSON": `{"user":"x","pass":` + jsonPassword + `,"name":"SMTP_PASSWORD","value":` + jsonPassword + "}\n" + refusedReply, "JSON, quoted twice": asJSON(`{"password":`+jsonPassword+`}`, 2) + "\n" + refusedReply,
		"ini": "[smtp]\nhost = smtp.office365.com\npassword = " + s.password + "\nsmtp_pass: " + s.password + "\n" + refusedReply, "properties": "spring.mail.password=" + s.password + "\n" + refusedReply,
		"a connection string": "Server=smtp.office365.com;Port=587;User Id=x;Password=" + strings.ReplaceAll(s.password, ";", ",") + ";TLS=true\n" + refusedReply, "a key": "using " + s.key + " " + refusedReply, "a client secret": "secret is " + s.client + " " + refusedReply,
		"a bare refresh token": s.refresh + "\n" + refusedReply, "a private key": "-----BEGIN PRIVATE KEY-----\n" + lined(b64(s.refresh), 64, "\n", "") + "\n-----END PRIVATE KEY-----\n" + refusedReply, "cookies": "Cookie: ESTSAUTH=" + s.refresh + "; x=1\n" + refusedReply,
		"multipart":           "Content-Disposition: form-data; name=\"client_secret\"\r\n\r\n" + s.client + "\r\n--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + s.password + "\r\n--x--\n" + refusedReply,
		"a table of Markdown": "| user | x |\n| password | " + s.password + " |\n\n" + refusedReply, "an option": "mail --smtp-password=" + s.password + " --to a\n" + refusedReply, "a sentence": "The password is \"" + s.password + "\" and " + refusedReply,
	}
}

func utf16LE(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

// ownWords are the texts of the catalogue.
func ownWords(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob("../diagnosis/catalogue/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return strings.ToLower(all.String())
}

// shown is all that output tells: each eight characters in a row, also of what
// base64 and hexadecimal digits in it stand for.
type shown map[string]bool

func shownBy(output string) shown {
	all := shown{}
	text := strings.ToLower(output + "\n" + opened(output))
	for i := 0; i+8 <= len(text); i++ {
		all[text[i:i+8]] = true
	}
	return all
}

// leaked returns what of a secret is shown. Words of ours do not count.
func (s shown) leaked(own, secret string) string {
	low := strings.ToLower(secret)
	for i := 0; i+8 <= len(low); i++ {
		if part := low[i : i+8]; s[part] && !strings.Contains(own, part) {
			return secret[i : i+8]
		}
	}
	return ""
}

var (
	base64Runs = regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}`)
	hexRuns    = regexp.MustCompile(`(?:[0-9a-fA-F]{2}[ :]?){8,}`)
)

// opened is what the encoded parts of a text stand for.
func opened(text string) string {
	var b strings.Builder
	for _, run := range base64Runs.FindAllString(text, -1) {
		run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
		for from := 0; from < 4 && from < len(run); from++ {
			part := run[from:]
			part = part[:len(part)/4*4]
			if data, err := base64.StdEncoding.DecodeString(part); err == nil {
				b.Write(data)
				b.WriteByte('\n')
			}
		}
	}
	for _, run := range hexRuns.FindAllString(text, -1) {
		if data, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "").Replace(run)); err == nil {
			b.Write(data)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// everything is all that can be shown of findings.
func everything(t testing.TB, findings []diagnosis.Finding) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(findings); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%+v", findings)
	return strings.ReplaceAll(b.String(), `\n`, "\n") // of JSON, lest its n be taken for a part
}

// TestNoPastedCredentialComesBack pastes tokens, secrets and passwords in every
// form that people are known to paste.
func TestNoPastedCredentialComesBack(t *testing.T) {
	own := ownWords(t)
	for seed := range uint64(8) {
		s := newSecrets(seed)
		forms := pasteForms(s)
		if len(forms) < 80 {
			t.Fatalf("only %d forms", len(forms))
		}
		for _, name := range slices.Sorted(maps.Keys(forms)) {
			// Of a paste the finding has what stands behind the error.
			for _, text := range []string{forms[name], "S: " + refusedReply + "\n" + strings.ReplaceAll(forms[name], refusedReply, "it failed")} {
				found := paste.Explain(text, diagnosis.Facts{})
				if len(found) == 0 {
					t.Errorf("%s: not recognised:\n%s", name, text)
				}
				output := everything(t, found)
				all := shownBy(output)
				for _, secret := range s.all() {
					if part := all.leaked(own, secret); part != "" {
						t.Errorf("seed %d, %s: %q of a secret comes back:\n%.1500s\nof\n%.600s", seed, name, part, output, text)
						break
					}
				}
			}
		}
	}
}

// TestMarksAndCapitalsDoNotComeBack: a password may have the letters of words that
// are looked for.
func TestMarksAndCapitalsDoNotComeBack(t *testing.T) {
	for _, password := range []string{"$s.u.c!c@e#s%s", "tion!#%&$", "~uthe+N$t_", "uNsUcCeSs+$^#@!%", "un\u00adsuccessful", "AUTHENTICATION", "!!unsuccessful!!", "disabled$"} {
		for _, text := range []string{
			"535 5.7.3 " + password + " Authentication unsuccessful", "535 5.7.3 Authentication " + password + " unsuccessful [x.PROD.OUTLOOK.COM]",
			"535 5.7.139 Authentication unsuccessful, " + password + " SmtpClientAuthentication is disabled for the Tenant.",
		} {
			if out := everything(t, paste.Explain(text, diagnosis.Facts{})); strings.Contains(out, password) {
				t.Errorf("%q comes back of %q:\n%s", password, text, out)
			}
		}
	}
	long := strings.Repeat("0.A7XB5fd", 40)
	reply := "554 5.2.252 SendAsDenied; a@contoso.example not allowed to send as " + long + "@contoso.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied"
	if out := everything(t, paste.Explain(reply, diagnosis.Facts{})); strings.Contains(out, long[:65]) {
		t.Errorf("what is longer than a local part comes back:\n%s", out)
	}
}

// TestClaimsOfAPastedTokenAreUsed: the ids stand in the commands.
func TestClaimsOfAPastedTokenAreUsed(t *testing.T) {
	forms := pasteForms(newSecrets(1))
	for _, name := range []string{
		"a bare token", "a header of HTTP", "an answer in JSON", "an answer in JSON, quoted twice", "XOAUTH2", "XOAUTH2, wrapped", "quoted-printable", "base64 of a log",
	} {
		output := everything(t, paste.Explain(forms[name], diagnosis.Facts{}))
		for _, id := range []string{claimedApp, claimedObject} {
			if !strings.Contains(output, id) {
				t.Errorf("%s: no command has %s", name, id)
			}
		}
	}
}
