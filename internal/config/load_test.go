package config_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/setting"
)

const (
	guid   = "0f9b1c9e-6d0f-4b7e-9d5c-2f0a1b2c3d4e"
	tenant = "11111111-2222-3333-4444-555555555555"
	hidden = "Fc38Q~the-value-that-must-not-be-shown~x"
)

// complete is an environment with which a token could be had.
func complete(more ...string) []string {
	return append([]string{
		"SMTPSEND_OFFICE_CLIENT_ID=" + guid, "SMTPSEND_OFFICE_TENANT_ID=" + tenant, "SMTPSEND_OFFICE_CLIENT_SECRET=" + hidden,
	}, more...)
}

// options keep Load away from the machine's own files.
func options(t *testing.T, environ ...string) config.Options {
	t.Helper()
	dir := t.TempDir()
	if environ == nil {
		environ = []string{}
	}
	return config.Options{
		Environ: environ, UserConfigDir: filepath.Join(dir, "user"), SystemConfigDir: filepath.Join(dir, "system"),
		UserCacheDir: filepath.Join(dir, "cache"),
	}
}

func load(t *testing.T, o config.Options) *config.Config {
	t.Helper()
	cfg, err := config.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// problems loads and returns all problems as lines, "error: " or "warning: "
// first.
func problems(t *testing.T, o config.Options) []string {
	t.Helper()
	cfg, err := config.Load(t.Context(), o)
	list := cfg.Warnings()
	var p *config.Problems
	if errors.As(err, &p) {
		list = p.List
	} else if err != nil {
		t.Fatalf("error is %T, not *Problems: %v", err, err)
	}
	var lines []string
	for _, problem := range list {
		lines = append(lines, string(problem.Severity)+": "+problem.String())
	}
	if all := strings.Join(lines, "\n") + fmt.Sprint(err); strings.Contains(all, hidden) {
		t.Errorf("a problem holds the secret: %s", all)
	}
	return lines
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// write makes a file that Load trusts.
func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDefaultsAreEnaios(t *testing.T) {
	o := options(t, complete()...)
	cfg := load(t, o)
	got := fmt.Sprintln(cfg.NoMails, cfg.Addr(), cfg.SMTPSecurity, cfg.SMTPAuthenticating, cfg.TokenURL(), cfg.OfficeAccessScopes,
		cfg.GraceTime(), cfg.Cloud, cfg.IPFamily, cfg.MailSender == "", cfg.SMTPUserName == "", cfg.ProxyURL(), cfg.EHLOName == "")
	want := fmt.Sprintln(false, "smtp.office365.com:587", "TLS", "MS_OAUTH",
		"https://login.microsoftonline.com/"+tenant+"/oauth2/v2.0/token", []string{"https://outlook.office365.com/.default"},
		30*time.Second, "public", "any", true, true, nil, true)
	if strings.ReplaceAll(got, "<nil>", "") != strings.ReplaceAll(want, "<nil>", "") {
		t.Errorf("got\n%s want\n%s", got, want)
	}
	if want := filepath.Join(o.UserCacheDir, "smtpsend"); cfg.CacheDir != want {
		t.Errorf("CacheDir = %q; want %q", cfg.CacheDir, want)
	}
	if len(cfg.Warnings()) > 0 {
		t.Errorf("warnings about the defaults: %v", cfg.Warnings())
	}
}

func TestValuesAreParsed(t *testing.T) {
	cfg := load(t, options(t, complete(
		"SMTPSEND_MAIL_SENDER=Reports <reports@contoso.example>", "SMTPSEND_NO_MAILS=1", "SMTPSEND_MAIL_SERVER=[::1]",
		"SMTPSEND_SMTP_PORT=0025", "SMTPSEND_SMTP_SECURITY=none", "SMTPSEND_SMTP_AUTHENTICATING=ms_oauth",
		"SMTPSEND_SMTP_USER_NAME=app@contoso.example", "SMTPSEND_OFFICE_ACCESS_SCOPES=https://a/.default, https://b/.default",
		"SMTPSEND_OFFICE_TOKEN_GRACE_TIME_IN_SECONDS=0", "SMTPSEND_OFFICE_TOKEN_ENDPOINT=http://127.0.0.1:99/#tenantid#/token",
		"SMTPSEND_EHLO_NAME=[192.0.2.1]", "SMTPSEND_IP_FAMILY=6",
	)...))
	got := fmt.Sprint(cfg.MailSender, "|", cfg.NoMails, "|", cfg.Addr(), "|", cfg.SMTPSecurity, "|", cfg.SMTPUserName, "|",
		strings.Join(cfg.OfficeAccessScopes, "+"), "|", cfg.GraceTime(), "|", cfg.TokenURL(), "|", cfg.EHLOName, "|", cfg.IPFamily)
	want := "Reports <reports@contoso.example>|true|[::1]:25|NONE|app@contoso.example|https://a/.default+https://b/.default|0s|http://127.0.0.1:99/" +
		tenant + "/token|[192.0.2.1]|ipv6"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if user := load(t, options(t, complete("SMTPSEND_PROXY=socks5://u:p%40ss@proxy:1080")...)).ProxyURL().User.String(); user != "u:p%40ss" {
		t.Errorf("the proxy's user is %s", user)
	}
}

func TestPrecedence(t *testing.T) {
	o := options(t, complete("SMTPSEND_MAIL_SERVER=environment", "SMTPSEND_EHLO_NAME=", "SMTPSEND_SMTP_PORT=2525",
		"AZURE_CLIENT_ID=azure", "AZURE_TENANT_ID=azure")...)
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"),
		"# comment\nSMTPSEND_MAIL_SERVER=file\nSMTPSEND_EHLO_NAME=file\nSMTPSEND_IP_FAMILY=ipv4\nSMTPSEND_SMTP_PORT=2526\n")
	o.Flags = map[string]string{"SMTP_PORT": "2527", "IP_FAMILY": ""}
	cfg := load(t, o)
	for _, tt := range []struct{ setting, value, want, origin string }{
		{"SMTP_PORT", fmt.Sprint(cfg.SMTPPort), "2527", "flag --smtp-port"},
		{"MAIL_SERVER", cfg.MailServer, "environment", "environment SMTPSEND_MAIL_SERVER"},
		{"SMTPSEND_EHLO_NAME", cfg.EHLOName, "file", o.EnvFile + ":3"},
		{"IP_FAMILY", string(cfg.IPFamily), "ipv4", o.EnvFile + ":4"},
		{"OFFICE_CLIENT_ID", cfg.OfficeClientID, guid, "environment SMTPSEND_OFFICE_CLIENT_ID"},
		{"CLOUD", string(cfg.Cloud), "public", "default"},
		{"PROXY", cfg.Proxy.Reveal(), "", ""},
	} {
		if got := cfg.Origin(tt.setting).String(); tt.value != tt.want || got != tt.origin {
			t.Errorf("%s = %q from %q; want %q from %q", tt.setting, tt.value, got, tt.want, tt.origin)
		}
	}
	if cfg.EnvFile() != o.EnvFile {
		t.Errorf("EnvFile() = %q", cfg.EnvFile())
	}
}

func TestAzureVariablesStandIn(t *testing.T) {
	cfg := load(t, options(t, "AZURE_CLIENT_ID="+guid, "AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_SECRET="+hidden,
		"AZURE_AUTHORITY_HOST=https://login.microsoftonline.us/", "AZURE_MAIL_SERVER=x"))
	if got := cfg.TokenURL(); got != "https://login.microsoftonline.us/"+tenant+"/oauth2/v2.0/token" {
		t.Errorf("TokenURL = %s", got)
	}
	if cfg.OfficeClientID != guid || cfg.OfficeClientSecret.Reveal() != hidden {
		t.Errorf("id %q, secret set: %t", cfg.OfficeClientID, !cfg.OfficeClientSecret.IsZero())
	}
	if got := cfg.Origin("OFFICE_TOKEN_ENDPOINT").String(); got != "environment AZURE_AUTHORITY_HOST" {
		t.Errorf("origin of the endpoint is %q", got)
	}
	wantLines(t, problems(t, options(t, "SMTPSEND_OFFICE_CLIENT_ID="+guid, "AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_SECRET="+hidden)),
		"warning: SMTPSEND_OFFICE_CLIENT_SECRET and SMTPSEND_OFFICE_CLIENT_ID come from different places, one of them AZURE_ variables: "+
			"check that they belong to one application (environment AZURE_CLIENT_SECRET)")
}

func TestUserNameIsTheDefaultSender(t *testing.T) {
	cfg := load(t, options(t, complete("SMTPSEND_SMTP_USER_NAME=app@contoso.example")...))
	if got := cfg.Origin("MAIL_SENDER").String(); cfg.MailSender != "app@contoso.example" || got != "setting SMTPSEND_SMTP_USER_NAME" {
		t.Errorf("MailSender = %q from %q", cfg.MailSender, got)
	}
}

func TestCloudSetsThreeSettings(t *testing.T) {
	for cloud, want := range map[string]string{
		"usgov":     "login.microsoftonline.us outlook.office365.us smtp.office365.us",
		"USGOV-DoD": "login.microsoftonline.us outlook.office365.us outlook-dod.office365.us",
		"china":     "login.partner.microsoftonline.cn partner.outlook.cn smtp.partner.outlook.cn",
	} {
		cfg := load(t, options(t, complete("SMTPSEND_CLOUD="+cloud, "AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/")...))
		w := strings.Fields(want)
		if cfg.TokenURL() != "https://"+w[0]+"/"+tenant+"/oauth2/v2.0/token" || cfg.OfficeAccessScopes[0] != "https://"+w[1]+"/.default" || cfg.MailServer != w[2] {
			t.Errorf("%s: %s %s %s", cloud, cfg.TokenURL(), cfg.OfficeAccessScopes, cfg.MailServer)
		}
		if got := cfg.Origin("MAIL_SERVER").String(); got != "setting SMTPSEND_CLOUD" {
			t.Errorf("%s: origin of the server is %q", cloud, got)
		}
		if w := cfg.Warnings(); len(w) != 1 || w[0].Variable != "SMTPSEND_CLOUD" {
			t.Errorf("%s: warnings %v; want one about AZURE_AUTHORITY_HOST", cloud, w)
		}
	}
	cfg := load(t, options(t, complete("SMTPSEND_CLOUD=china", "SMTPSEND_MAIL_SERVER=partner.outlook.cn")...))
	if cfg.MailServer != "partner.outlook.cn" || cfg.OfficeAccessScopes[0] != "https://partner.outlook.cn/.default" {
		t.Errorf("override: %s %s", cfg.MailServer, cfg.OfficeAccessScopes)
	}
	wantLines(t, problems(t, options(t, complete("AZURE_AUTHORITY_HOST=login.microsoftonline.us")...)),
		"warning: SMTPSEND_CLOUD is not set, but AZURE_AUTHORITY_HOST names another cloud than public: server and scope are still those of public")
}

func TestMissingSettingsAreReportedTogether(t *testing.T) {
	o := options(t)
	wantLines(t, problems(t, o),
		"error: SMTPSEND_OFFICE_CLIENT_ID is not set: Application (client) ID of the app registration",
		"error: SMTPSEND_OFFICE_TENANT_ID is not set: Directory (tenant) ID, or a domain of the tenant",
		"error: SMTPSEND_OFFICE_CLIENT_SECRET is not set: Client secret: its Value, not its Secret ID; another credential can take its place: a certificate, a federated token, a managed identity, an access token",
		"warning: no env file was read, because there is none at "+inDir(o.UserConfigDir, "smtpsend.env")+" and "+inDir(o.SystemConfigDir, "smtpsend.env")+
			"; --env-file FILE names another one, and smtpsend config example prints one to fill in")
	o.Offline = true
	wantLines(t, problems(t, o))
	wantLines(t, problems(t, options(t, "SMTPSEND_NO_MAILS=1")))
	wantLines(t, problems(t, options(t, "SMTPSEND_OFFICE_CLIENT_ID=x", "SMTPSEND_OFFICE_CLIENT_SECRET=y",
		"SMTPSEND_OFFICE_TOKEN_ENDPOINT=https://idp.example/token")))
}

// TestWrongValueIsNotJudgedAsTheDefault has settings whose check depends on another one,
// of which nothing is known but that it is wrong.
func TestWrongValueIsNotJudgedAsTheDefault(t *testing.T) {
	for wrong, others := range map[string][]string{
		"SMTP_PORT": {"SMTPSEND_SMTP_PORT=x", "SMTPSEND_MAIL_SERVER=mx.example", "SMTPSEND_SMTP_SECURITY=1"},
		"OFFICE_TOKEN_ENDPOINT": {
			"SMTPSEND_OFFICE_TOKEN_ENDPOINT='https://idp.example/token'", "SMTPSEND_OFFICE_CLIENT_ID=mailer", "SMTPSEND_OFFICE_TENANT_ID=",
		},
	} {
		got := problems(t, options(t, complete(others...)...))
		if len(got) != 1 || !strings.HasPrefix(got[0], "error: SMTPSEND_"+wrong+" ") {
			t.Errorf("%s: %q", wrong, got)
		}
	}
}

func TestFlagsTakeSettingsOnly(t *testing.T) {
	o := options(t, complete()...)
	o.Flags = map[string]string{"OFFICE_CLIENT_SECRET": hidden, "OFFICE_CLIENT_SECRET_FILE": "x", "NOTHING": "x", "MAIL_SERVER": "localhost"}
	wantLines(t, problems(t, o),
		"error: SMTPSEND_NOTHING cannot be given as a flag (flag --nothing)",
		"error: SMTPSEND_OFFICE_CLIENT_SECRET_FILE cannot be given as a flag (flag --office-client-secret-file)",
		"error: SMTPSEND_OFFICE_CLIENT_SECRET cannot be given as a flag (flag --office-client-secret)")
}

func TestUnknownNamesAreWarnedOfWithTheNearest(t *testing.T) {
	o := options(t, complete("SMTPSEND_MAIL_SEVER=x", "SMTPSEND_OFFICE_CLIENT_SECRET_FIEL=x", "SMTPSEND_QUITE_DIFFERENT=x",
		"SMTPSEND_smtp_port=1", "SMTPSEND_OFFICE_TENANTID=", "OTHER=x")...)
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"),
		"STMPSEND_SMTP_PORT=1\nSMTP_PORT=1\nPATH=x\nFOO_MAIL_SERVER=x\nSMTPSEND_ENV_FILE=x\nSMTPSEND_SMTPPORT=1\n")
	wantLines(t, problems(t, o),
		"warning: STMPSEND_SMTP_PORT is not read: did you mean SMTPSEND_SMTP_PORT? ("+o.EnvFile+":1)",
		"warning: SMTP_PORT is not read: did you mean SMTPSEND_SMTP_PORT? ("+o.EnvFile+":2)",
		"warning: SMTPSEND_MAIL_SEVER is not a setting: did you mean SMTPSEND_MAIL_SERVER?",
		"warning: SMTPSEND_OFFICE_CLIENT_SECRET_FIEL is not a setting: did you mean SMTPSEND_OFFICE_CLIENT_SECRET_FILE?",
		"warning: SMTPSEND_QUITE_DIFFERENT is not a setting",
		"warning: SMTPSEND_smtp_port is not a setting: did you mean SMTPSEND_SMTP_PORT?",
		"warning: SMTPSEND_ENV_FILE has no effect in an env file ("+o.EnvFile+":5)",
		"warning: SMTPSEND_SMTPPORT is not a setting: did you mean SMTPSEND_SMTP_PORT? ("+o.EnvFile+":6)")
}

func TestProcessEnvironmentIsTheDefaultAndStaysAsItWas(t *testing.T) {
	for _, kv := range complete("SMTPSEND_MAIL_SERVER=from.process.example", "SMTPSEND_SMTP_PORT=") {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	before := os.Environ()
	o := options(t)
	o.Environ = nil
	cfg, err := config.Load(context.Background(), o)
	if err != nil || cfg.MailServer != "from.process.example" || cfg.SMTPPort != 587 {
		t.Errorf("server %q, port %d, %v", cfg.MailServer, cfg.SMTPPort, err)
	}
	if after := os.Environ(); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("the environment changed from\n%q\nto\n%q", before, after)
	}
}

func TestShowMasksWhatIsNoURL(t *testing.T) {
	for _, url := range []string{
		"user:pass@word@proxy.example:3128", "http://us er:pass@word@proxy.example", "http://user:pass/word@x@proxy.example:1", "socks5://pass?word#@h",
	} {
		cfg, _ := config.Load(t.Context(), options(t, complete("SMTPSEND_PROXY="+url, "SMTPSEND_OFFICE_TOKEN_ENDPOINT="+url, "SMTPSEND_MAIL_SERVER=smtp://pass:word@h")...))
		for _, s := range cfg.Show() {
			if strings.Contains(s.Value, "pass") || strings.Contains(s.Value, "word") {
				t.Errorf("%s shows %s", s.Variable, s.Value)
			}
		}
	}
}

func TestShowMasksSecrets(t *testing.T) {
	cfg := load(t, options(t, complete("SMTPSEND_PROXY=http://user:pass@word@proxy.example:3128")...))
	shown := map[string]config.Shown{}
	for _, s := range cfg.Show() {
		shown[s.Variable] = s
	}
	for variable, want := range map[string]config.Shown{
		"SMTPSEND_OFFICE_CLIENT_SECRET": {Value: "[redacted]", Origin: "environment SMTPSEND_OFFICE_CLIENT_SECRET", Secret: true},
		"SMTPSEND_PROXY":                {Value: "http://[redacted]@proxy.example:3128", Origin: "environment SMTPSEND_PROXY"},
		"SMTPSEND_SMTP_PORT":            {Value: "587", Origin: "default"},
		"SMTPSEND_CA_FILE":              {},
	} {
		want.Variable = variable
		if got := shown[variable]; got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
	if len(shown) != len(setting.All()) {
		t.Errorf("%d settings are shown; want %d", len(shown), len(setting.All()))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, cfg); strings.Contains(got, hidden) || strings.Contains(got, "pass@word") {
			t.Errorf("%s prints a secret: %s", verb, got)
		}
	}
}
