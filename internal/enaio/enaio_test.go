package enaio_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/enaio"
	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/limits"
)

const (
	guid   = "0f9b1c9e-6d0f-4b7e-9d5c-2f0a1b2c3d4e"
	tenant = "11111111-2222-3333-4444-555555555555"
	hidden = "Fc38Q~the.value.that.must.not.be.shown_a"
)

// Made after enaio's page on Office 365.
const osweb = `# osweb-prod.yml
spring:
  application.name: osweb
featureSwitches:
  someOther: true
  sendEmail:
    smtpServer: smtp.office365.com
    smtpPort: 587
    smtpEncryption: TLS
    smtpAuthentication: MS_OAUTH
    smtpUsername: mailer@contoso.example
    oAuthClientId: ` + guid + `
    oAuthClientSecret: '` + hidden + `'
    oAuthTenantId: ` + tenant + `
`

const osWebEnv = `SMTPSEND_MAIL_SERVER=smtp.office365.com
SMTPSEND_SMTP_PORT=587
SMTPSEND_SMTP_SECURITY=2
SMTPSEND_SMTP_AUTHENTICATING=3
SMTPSEND_SMTP_USER_NAME=mailer@contoso.example
SMTPSEND_OFFICE_CLIENT_ID=` + guid + `
SMTPSEND_OFFICE_TENANT_ID=` + tenant + `
SMTPSEND_OFFICE_CLIENT_SECRET=` + hidden + `
`

const registry = `Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\OPTIMAL SYSTEMS\enaio\Other]
"Folder"="C:\\Data \"x\""
"List"=hex(7):61,00,00,00,00,00
"Two lines"="a \"
b"

[HKEY_LOCAL_MACHINE\SOFTWARE\OPTIMAL SYSTEMS\enaio\Mail]
@="default"
; a comment
"MailSender"="mailer@contoso.example"
"NoMails"=dword:00000001
"MailServer"=hex(1):73,00,6d,00,74,00,70,00,2e,00,6f,00,66,00,66,00,69,00,63,\
  00,65,00,33,00,36,00,35,00,2e,00,63,00,6f,00,6d,00,00,00
"SMTPSecurity"=dword:00000002
"SMTPPort"=dword:0000024b
"SMTPAuthenticating"="3"
"SMTPUserName"="mailer@contoso.example"
"OfficeClientID"="` + guid + `"
"OfficeClientSecret"="` + hidden + `"
"OfficeTenantID"="` + tenant + `"
"OfficeTokenEndpoint"=hex(2):68,00,74,00,74,00,70,00,73,00,3a,00,2f,00,2f,00,6c,\
  00,2e,00,65,00,2f,00,23,00,54,00,65,00,6e,00,61,00,6e,00,74,00,49,00,44,00,23,00,00,00
"OfficeAccessScopes"="https://outlook.office365.com/.default"
"OfficeTokenGraceTimeInSeconds"=dword:0000003c
"SMTPPassword"="` + hidden + `"
"Gone"=-
`

const registryEnv = `SMTPSEND_MAIL_SENDER=mailer@contoso.example
SMTPSEND_NO_MAILS=1
SMTPSEND_MAIL_SERVER=smtp.office365.com
SMTPSEND_SMTP_PORT=587
SMTPSEND_SMTP_SECURITY=2
SMTPSEND_SMTP_AUTHENTICATING=3
SMTPSEND_SMTP_USER_NAME=mailer@contoso.example
SMTPSEND_OFFICE_CLIENT_ID=` + guid + `
SMTPSEND_OFFICE_TENANT_ID=` + tenant + `
SMTPSEND_OFFICE_CLIENT_SECRET=` + hidden + `
SMTPSEND_OFFICE_TOKEN_ENDPOINT=https://l.e/#TenantID#
SMTPSEND_OFFICE_ACCESS_SCOPES=https://outlook.office365.com/.default
SMTPSEND_OFFICE_TOKEN_GRACE_TIME_IN_SECONDS=60
`

// body returns the env file without its comment.
func body(in enaio.Imported) string {
	_, rest, _ := strings.Cut(in.EnvFile(), "\n")
	return rest
}

func lines(in enaio.Imported) string {
	var out []string
	for _, p := range in.Problems {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

func importText(t *testing.T, name, text string) enaio.Imported {
	t.Helper()
	in, err := enaio.Import(t.Context(), name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(lines(in), hidden) {
		t.Errorf("a problem holds the secret: %s", lines(in))
	}
	return in
}

func TestWebclientYAML(t *testing.T) {
	in := importText(t, "dir/osweb-prod.yml", osweb)
	if body(in) != osWebEnv {
		t.Errorf("got\n%s want\n%s", body(in), osWebEnv)
	}
	if want := "2 other entries, not about mail, were left out"; lines(in) != want {
		t.Errorf("problems:\n%s\nwant\n%s", lines(in), want)
	}
	if want := "# Imported from \"osweb-prod.yml\" (YAML).\n"; !strings.HasPrefix(in.EnvFile(), want) {
		t.Errorf("begins with %q", in.EnvFile()[:60])
	}
}

func TestYAMLInItsOtherForms(t *testing.T) {
	for name, text := range map[string]string{
		"dotted":             "featureSwitches.sendEmail.smtpServer: mx.example\nfeatureSwitches.sendEmail.oAuthClientSecret: ~\n",
		"half dotted":        "featureSwitches:\n  sendEmail.smtpServer: mx.example\n",
		"flow":               "{featureSwitches: {sendEmail: {smtpServer: mx.example}}}",
		"Spring's spelling":  "feature-switches:\n  send-email:\n    smtp-server: mx.example\n",
		"alias":              "x: &m\n  smtpServer: mx.example\nfeatureSwitches:\n  sendEmail: *m\n",
		"merged":             "x: &m\n  smtpServer: mx.example\nfeatureSwitches:\n  sendEmail:\n    <<: *m\n",
		"merged twice":       "x: &m\n  smtpServer: mx.example\ny: &n\n  <<: [*m]\nfeatureSwitches:\n  sendEmail:\n    <<: [*n, {smtpServer: other.example}]\n",
		"merged, overridden": "x: &m\n  smtpServer: other.example\nfeatureSwitches:\n  sendEmail:\n    <<: *m\n    smtpServer: mx.example\n",
		"several documents":  "a: b\n---\nfeatureSwitches:\n  sendEmail:\n    smtpServer: mx.example\n",
		"byte order mark":    "\ufefffeatureSwitches.sendEmail.smtpServer: mx.example\r\n",
		"registry's entries": "MailServer: mx.example",
	} {
		if got := body(importText(t, "x.yaml", text)); got != "SMTPSEND_MAIL_SERVER=mx.example\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestListsAreReported(t *testing.T) {
	in := importText(t, "x.yml", "a: [b]\nfeatureSwitches:\n  sendEmail:\n    smtpServer: mx.example\n    oAuthScopes: [x, y]\n")
	want := "featureSwitches.sendEmail.oAuthScopes[0] means nothing to smtpsend and was left out\n" +
		"featureSwitches.sendEmail.oAuthScopes[1] means nothing to smtpsend and was left out\n" +
		"1 other entry, not about mail, was left out"
	if got := lines(in); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestServerRegistry(t *testing.T) {
	crlf := strings.ReplaceAll(registry, "\n", "\r\n")
	little, big := []byte{0xff, 0xfe}, []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(crlf)) {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	for name, data := range map[string][]byte{
		"UTF-16LE": little, "UTF-16BE": big, "UTF-8": []byte(registry), "UTF-8 with mark": []byte("\ufeff" + crlf),
	} {
		in := importText(t, "server.txt", string(data))
		if body(in) != registryEnv || in.Format != enaio.FormatRegistry {
			t.Errorf("%s: %s, got\n%s want\n%s", name, in.Format, body(in), registryEnv)
		}
		if want := "SMTPPassword means nothing to smtpsend and was left out\n2 other entries, not about mail, were left out"; lines(in) != want {
			t.Errorf("%s: problems\n%s\nwant\n%s", name, lines(in), want)
		}
	}
}

func TestOldRegistryExport(t *testing.T) {
	in := importText(t, "old.reg", "REGEDIT4\r\n[HKEY]\r\n\"MailServer\"=hex(2):6d,78,00\r\n\"MailSender\"=\"gr\xfc\xdfe@contoso.example\"\r\n"+
		"\"SMTPPort\"=hex(b):4b,02,00,00,00,00,00,00\r\n")
	if want := "SMTPSEND_MAIL_SENDER='grüße@contoso.example'\nSMTPSEND_MAIL_SERVER=mx\nSMTPSEND_SMTP_PORT=587\n"; body(in) != want {
		t.Errorf("got\n%s want\n%s", body(in), want)
	}
}

func TestProperties(t *testing.T) {
	in := importText(t, "mail.properties", "# comment\n! another\n\nMailServer = mx.example\nfeatureSwitches.sendEmail.smtpPort:25\n"+
		"SMTPUserName\tgr\\u00fc\\u00DFe@contoso\\\n   .example\nOfficeClientSecret=a\\=b\\\\c\\:\\u0020d\nOfficeTenantID=\n"+
		"logging.path=C:\\\\logs\\\\\nlogging.level=DEBUG\nfeatureSwitches.sendEmail.enabled=true\nSMTPSEND_IP_FAMILY=ipv4\n")
	want := "SMTPSEND_MAIL_SERVER=mx.example\nSMTPSEND_SMTP_PORT=25\nSMTPSEND_SMTP_USER_NAME='grüße@contoso.example'\n" +
		"SMTPSEND_OFFICE_CLIENT_SECRET='a=b\\c: d'\nSMTPSEND_IP_FAMILY=ipv4\n"
	if body(in) != want {
		t.Errorf("got\n%s want\n%s", body(in), want)
	}
	if want := "featureSwitches.sendEmail.enabled means nothing to smtpsend and was left out\n2 other entries, not about mail, were left out"; lines(in) != want {
		t.Errorf("problems\n%s\nwant\n%s", lines(in), want)
	}
}

func TestValuesAreCarriedOverWithTheirMeaning(t *testing.T) {
	const line = "featureSwitches.sendEmail.smtpServer: mx.example\n"
	const encrypted = "featureSwitches.sendEmail.oAuthClientSecret is encrypted, and only enaio can read it: left empty: enter it again as SMTPSEND_OFFICE_CLIENT_SECRET"
	const leftEmpty = "# Encrypted in that file, so that only enaio can read it. Enter it here: Client secret: its Value, not its Secret ID\nSMTPSEND_OFFICE_CLIENT_SECRET="
	for _, tt := range []struct{ in, want, problems string }{
		{"smtpEncryption: NONE", "SMTPSEND_SMTP_SECURITY=0", "SMTPSEND_SMTP_SECURITY is 0 (no encryption), but SMTPSEND_MAIL_SERVER is not this machine: the token would be sent unencrypted"},
		{"smtpEncryption: ssl", "SMTPSEND_SMTP_SECURITY=1", "SMTPSEND_SMTP_SECURITY is 1 (TLS from the start), but port 587 begins without TLS: use 2, or port 465"},
		{"smtpEncryption: ROT13", "", "featureSwitches.sendEmail.smtpEncryption is an encryption that enaio does not document: left out"},
		{"smtpAuthentication: PLAIN", "", "featureSwitches.sendEmail.smtpAuthentication is not MS_OAUTH (3), the only method that smtpsend has: left out"},
		{"NoMails: false", "SMTPSEND_NO_MAILS=0", ""},
		{"NoMails: on", "SMTPSEND_NO_MAILS=1", ""},
		{"NoMails: 2", "", "featureSwitches.sendEmail.NoMails is neither 0 nor 1: left out"},
		{"oAuthClientSecret: ${SECRET}", "", "featureSwitches.sendEmail.oAuthClientSecret has a placeholder that enaio fills in: left out"},
		{"oAuthClientSecret: '{cipher}abc'", leftEmpty, encrypted},
		{"oAuthClientSecret: 'ENC(abc)'", leftEmpty, encrypted},
		{"oAuthClientSecret: '#ENC#8F3A1B'", leftEmpty, encrypted},
		{"oAuthClientSecret: '{AES-256}8F3A1B'", leftEmpty, encrypted},
		{"oAuthClientSecret: enc:8F3A1B", leftEmpty, encrypted},
		{"oAuthClientSecret: encoreQ~x", "SMTPSEND_OFFICE_CLIENT_SECRET=encoreQ~x", ""},
		{"oAuthClientSecret: \"a\\nb\"", "", "featureSwitches.sendEmail.oAuthClientSecret holds a control character: left out"},
		{"oAuthClientSecret: " + guid, "SMTPSEND_OFFICE_CLIENT_SECRET=" + guid, "SMTPSEND_OFFICE_CLIENT_SECRET has the shape of a GUID: this looks like the secret's ID, not its value, which Entra shows once, when the secret is made"},
		{"oAuthClientId: a@b.example", "SMTPSEND_OFFICE_CLIENT_ID=a@b.example", "SMTPSEND_OFFICE_CLIENT_ID is an e-mail address: the Application (client) ID of the app registration belongs here, a GUID"},
		{"smtpPassword: x", "", "featureSwitches.sendEmail.smtpPassword means nothing to smtpsend and was left out"},
	} {
		key, value, _ := strings.Cut(tt.in, ": ")
		text := line + "featureSwitches.sendEmail." + key + ": " + value + "\n"
		if key == "NoMails" {
			text = line + "NoMails: " + value + "\n"
			tt.problems = strings.ReplaceAll(tt.problems, "featureSwitches.sendEmail.", "")
		}
		in := importText(t, "x.yml", text)
		got := strings.TrimSpace(strings.ReplaceAll(body(in), "SMTPSEND_MAIL_SERVER=mx.example\n", ""))
		if got != tt.want || lines(in) != tt.problems {
			t.Errorf("%s:\ngot  %s\nwant %s\nproblems %s\nwant     %s", tt.in, got, tt.want, lines(in), tt.problems)
		}
	}
}

func TestDifferentValuesForOneSettingAreReported(t *testing.T) {
	in := importText(t, "x.reg", "REGEDIT4\n[A]\n\"MailServer\"=\"one\"\n[B]\n\"MailServer\"=\"two\"\n\"mailserver\"=\"one\"\n\"OfficeClientSecret\"=\"0A1B2C\"\n")
	if want := "SMTPSEND_MAIL_SERVER=one\n# Encrypted in that file, so that only enaio can read it. Enter it here: Client secret: its Value, not its Secret ID\nSMTPSEND_OFFICE_CLIENT_SECRET=\n"; body(in) != want {
		t.Errorf("got %s", body(in))
	}
	if want := "MailServer occurs more than once with different values: the first one was taken\n" +
		"OfficeClientSecret is encrypted, and only enaio can read it: left empty: enter it again as SMTPSEND_OFFICE_CLIENT_SECRET"; lines(in) != want {
		t.Errorf("problems\n%s\nwant\n%s", lines(in), want)
	}
}

// The last of two lines holds, as java.util.Properties has it.
func TestLastOfTwoPropertiesHolds(t *testing.T) {
	in, err := enaio.Import(t.Context(), "mail.properties", []byte("smtpServer=old.example\nsmtpServer=new.example\n"))
	if err != nil || in.Value("MAIL_SERVER").Reveal() != "new.example" || len(in.Problems) != 1 ||
		in.Problems[0].String() != "smtpServer occurs more than once with different values: the last one was taken" {
		t.Errorf("%v, problems %v, err %v", in.Value("MAIL_SERVER").Reveal(), in.Problems, err)
	}
}

func TestWhatCannotBeImported(t *testing.T) {
	deep := strings.Repeat("{a: ", 70) + "1" + strings.Repeat("}", 70)
	bomb := "a0: &a0 {k: v}\n"
	for i := 1; i < 30; i++ {
		bomb += fmt.Sprintf("a%d: &a%d {x: *a%d, y: *a%d}\n", i, i, i-1, i-1)
	}
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"x.yml", "a: b", enaio.ErrNothing},
		{"x.reg", "REGEDIT4\n", enaio.ErrNothing},
		{"x.properties", "", enaio.ErrNothing},
		{"x.yml", strings.Repeat("#", limits.Import+1), enaio.ErrTooLarge},
		{"x.reg", "\xff\xfeA", charset.ErrEncoding},
	} {
		if _, err := enaio.Import(t.Context(), tt.name, []byte(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", tt.name, err, tt.want)
		}
	}
	for _, tt := range []struct{ name, text, want string }{
		{"x.yml", "a: *" + hidden, "importing YAML: is not YAML: look for"},
		{"x.yml", "a:\n\t- " + hidden, "importing YAML: is not YAML: look for"},
		{"x.yml", deep, "importing YAML: line 1 is nested too deeply or repeated too often"},
		{"x.yml", bomb, "is one entry too many: at most 20000 are read"},
		{"x.reg", "REGEDIT4\n[A]\n" + hidden + "\n", `importing registry export: line 3 is neither [key] nor "name"=value`},
		{"x.reg", "REGEDIT4\n[A]\n\"MailServer\"=" + hidden + "\n", "importing registry export: line 3 has a value that cannot be read"},
		{"x.reg", "REGEDIT4\n[A]\n\n\"MailServer\"=\"" + hidden, "importing registry export: line 4 has a value that cannot be read"},
		{"x.reg", "REGEDIT4\n[A]\n\"SMTPPort\"=dword:xyz\n", "importing registry export: line 3 has a value that cannot be read"},
		{"x.properties", "a=b\nMailServer=\\u12~" + hidden, `importing properties: line 2 has a \u without four hexadecimal digits after it`},
	} {
		_, err := enaio.Import(t.Context(), tt.name, []byte(tt.text))
		var syntax *enaio.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v; want %s", tt.name, err, tt.want)
		}
	}
}

// What is imported can be loaded: the file sends.
func TestImportedFileLoads(t *testing.T) {
	for name, text := range map[string]string{"osweb-prod.yml": osweb, "server.reg": registry} {
		in := importText(t, name, text)
		file := filepath.Join(t.TempDir(), "x.env")
		if err := os.WriteFile(file, []byte(in.EnvFile()), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(t.Context(), config.Options{Environ: []string{}, EnvFile: file})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if cfg.OfficeClientSecret.Reveal() != hidden || cfg.OfficeClientID != guid || cfg.SMTPPort != 587 || len(cfg.Warnings()) > 0 {
			t.Errorf("%s: id %q, port %d, warnings %v", name, cfg.OfficeClientID, cfg.SMTPPort, cfg.Warnings())
		}
	}
}

// Whatever comes in, an env file comes out that reads back as what was taken,
// and no error or problem holds a value.
func FuzzImport(f *testing.F) {
	for _, seed := range [][2]string{
		{"x.yml", osweb}, {"x.reg", registry}, {"x.properties", "MailServer=a\\u0020b\\\n c"}, {"", "MailServer: x"},
		{"x.reg", "REGEDIT4\n\"MailServer\"=hex(2):61,\\\n"}, {"x.reg", "\xff\xfeW\x00"}, {"x.yml", "? [a]\n: b"}, {"x.yml", "<<: *a"},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		in, err := enaio.Import(t.Context(), name, data)
		if err != nil {
			if strings.Contains(err.Error(), hidden) {
				t.Fatalf("error holds the secret: %v", err)
			}
			return
		}
		all, err := envfile.Read(strings.NewReader(in.EnvFile()))
		if err != nil && len(in.EnvFile()) < envfile.MaxSize {
			t.Fatalf("the env file cannot be read: %v", err)
		}
		for _, a := range all {
			value := in.Value(strings.TrimPrefix(a.Name, config.Prefix)).Reveal()
			if a.Value != value {
				t.Fatalf("%s is %q in the file, but %q was taken", a.Name, a.Value, value)
			}
		}
		if strings.Contains(lines(in), hidden) && !strings.Contains(string(data), hidden+"\"=") {
			t.Fatalf("a problem holds the secret: %s", lines(in))
		}
	})
}
