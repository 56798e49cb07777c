package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
)

func TestWrongValuesAreRefusedByName(t *testing.T) {
	const unescaped = "is not a URL: its user or password has a character that is written as % and two digits: @ is %40, : is %3A, / is %2F, % is %25, a backslash is %5C, so that CONTOSO\\user is CONTOSO%5Cuser"
	for _, tt := range []struct{ set, want string }{
		{"SMTP_PORT=abc", "is not a whole number"},
		{"SMTP_PORT=99999999999", "is out of range"},
		{"SMTP_PORT=0", "is not between 1 and 65535"},
		{"SMTP_PORT=65536", "is not between 1 and 65535"},
		{"SMTP_PORT=-1", "is not between 1 and 65535"},
		{"SMTP_PORT='587'", "is in quotes that were taken for part of the value: write it without them"},
		{"SMTP_PORT= 587", "begins or ends with a blank or line end"},
		{"NO_MAILS=perhaps", "is neither 0 nor 1"},
		{"SMTP_SECURITY=3", "is not one of 0 (none), 1 (SSL: TLS from the start), 2 (TLS: STARTTLS)"},
		{"SMTP_SECURITY=0", "is 0 (no encryption), but SMTPSEND_MAIL_SERVER is not this machine: the token would be sent unencrypted"},
		{"SMTP_AUTHENTICATING=1", "is not 3 (MS_OAUTH): smtpsend signs in only with an OAuth token, because Exchange Online is switching passwords off"},
		{"MAIL_SERVER=smtp.office365.com:587", "is not a host name or IP address: no scheme, no path, and the port goes into SMTPSEND_SMTP_PORT"},
		{"MAIL_SERVER=https://x", "is not a host name or IP address: no scheme, no path, and the port goes into SMTPSEND_SMTP_PORT"},
		{"MAIL_SERVER=a b", "is not a host name or IP address"},
		{"MAIL_SERVER=mx..example", "is not a host name or IP address"},
		{"MAIL_SERVER=mx-.example", "is not a host name or IP address"},
		{"MAIL_SERVER=mx.-example", "is not a host name or IP address"},
		{"MAIL_SERVER=" + strings.Repeat("x", 64) + ".example", "is not a host name or IP address"},
		{"MAIL_SERVER=" + strings.Repeat("mail.", 50) + "test", "is not a host name or IP address"},
		{"MAIL_SERVER=größe.example", "is not a host name or IP address"},
		{"MAIL_SERVER=a\x01b", "holds a control character or is not UTF-8"},
		{"MAIL_SENDER=reports", "is not an address such as reports@contoso.example"},
		{"SMTP_USER_NAME=Reports <reports@contoso.example>", "is not a bare address such as reports@contoso.example"},
		{"OFFICE_CLIENT_ID=admin@contoso.example", "is an e-mail address: the Application (client) ID of the app registration belongs here, a GUID"},
		{"OFFICE_CLIENT_ID=" + guid + "0", "is not a GUID, as the Application (client) ID is"},
		{"OFFICE_TENANT_ID=Common", "stands for all tenants (common, organizations, consumers), not for one: a program needs the Directory (tenant) ID"},
		{"OFFICE_TENANT_ID=organizations", "stands for all tenants (common, organizations, consumers), not for one: a program needs the Directory (tenant) ID"},
		{"OFFICE_TENANT_ID=contoso", "is neither a GUID nor a domain such as contoso.onmicrosoft.com"},
		{`OFFICE_CLIENT_SECRET="` + hidden + `"`, "is in quotes that were taken for part of the value: write it without them"},
		{"OFFICE_CLIENT_SECRET=" + hidden + "'", "is in quotes that were taken for part of the value: write it without them"},
		{"OFFICE_CLIENT_SECRET=" + hidden + "\n", "begins or ends with a blank or line end"},
		{"OFFICE_CLIENT_SECRET=\ufeff" + hidden + "\u00a0", "begins or ends with a blank or line end"},
		{"OFFICE_TOKEN_ENDPOINT=http://login.microsoftonline.com/#TenantID#/oauth2/v2.0/token", "is not https: the secret would be sent unencrypted"},
		{"OFFICE_TOKEN_ENDPOINT=login.microsoftonline.com", "is not a URL such as https://login.microsoftonline.com/#TenantID#/oauth2/v2.0/token"},
		{"OFFICE_TOKEN_ENDPOINT=https://u:" + hidden + "@login.example/", "holds a user name or password"},
		{"OFFICE_TOKEN_ENDPOINT=https://login.example/#Tenant#/token", "has a # that is not part of #TenantID#"},
		{"OFFICE_TOKEN_ENDPOINT=https://login.microsoftonline.com/common/oauth2/v2.0/token",
			"is for all tenants (common, organizations, consumers), not for one: write #TenantID#"},
		{"OFFICE_ACCESS_SCOPES=,", "does not contain a scope"},
		{"OFFICE_TOKEN_GRACE_TIME_IN_SECONDS=-1", "is not between 0 and 86400"},
		{"OFFICE_TOKEN_GRACE_TIME_IN_SECONDS=30s", "is not a whole number"},
		{"CLOUD=germany", "is not one of public, usgov, usgov-dod, china"},
		{"PROXY=proxy:3128", "is not a URL such as http://proxy.contoso.example:3128"},
		{"PROXY=ftp://proxy:3128", "has a scheme that is not one of http, https, socks5"},
		{"PROXY=http://proxy:3128/path", "has more than scheme, user, host and port"},
		{"PROXY=http://" + hidden + ":x y@%zz", unescaped},
		{`PROXY=http://CONTOSO\user:` + hidden + "@proxy:3128", unescaped},
		{"EHLO_NAME=a b", "is neither a host name nor an address in brackets (RFC 5321 4.1.3)"},
		{"IP_FAMILY=5", "is not one of any, ipv4, ipv6"},
	} {
		t.Run(tt.set, func(t *testing.T) {
			variable := "SMTPSEND_" + tt.set[:strings.IndexByte(tt.set, '=')]
			environ := slices.DeleteFunc(complete(), func(kv string) bool { return strings.HasPrefix(kv, variable+"=") })
			wantLines(t, problems(t, options(t, append(environ, "SMTPSEND_"+tt.set)...)), "error: "+variable+" "+tt.want)
		})
	}
}

func TestSuspiciousValuesAreWarnedOf(t *testing.T) {
	const alike = "OFFICE_TOKEN_ENDPOINT=https://127.0.0.1:8443/#TenantID#/oauth2/v2.0/token"
	for _, tt := range []struct{ name, set, want string }{
		{"secret's ID", "OFFICE_CLIENT_SECRET=" + tenant, "OFFICE_CLIENT_SECRET has the shape of a GUID: this looks like the secret's ID, not its value, which Entra shows once, when the secret is made"},
		{"port 465 with STARTTLS", "MAIL_SERVER=mx.example SMTP_PORT=465", "SMTP_SECURITY is 2 (STARTTLS), but port 465 speaks TLS from the start: use 1, or port 587 (default)"},
		{"port 587 with TLS from the start", "MAIL_SERVER=mx.example SMTP_SECURITY=1", "SMTP_SECURITY is 1 (TLS from the start), but port 587 begins without TLS: use 2, or port 465"},
		{"Exchange with TLS from the start", "SMTP_SECURITY=SSL SMTP_PORT=465", "SMTP_SECURITY is 1 (TLS from the start), which Exchange Online does not offer: use 2 with port 587"},
		{"user without domain", "SMTP_USER_NAME=app", "SMTP_USER_NAME has no @: Exchange Online expects the address of a mailbox"},
		{"scope of Graph", "OFFICE_ACCESS_SCOPES=https://graph.microsoft.com/.default", "OFFICE_ACCESS_SCOPES asks for Microsoft Graph, whose tokens SMTP refuses: use https://outlook.office365.com/.default"},
		{"scope of a person", "OFFICE_ACCESS_SCOPES=https://outlook.office365.com/SMTP.Send", "OFFICE_ACCESS_SCOPES has a scope that does not end in /.default, which Entra refuses to a program (AADSTS1002012): use https://outlook.office365.com/.default"},
		{"Entra's path elsewhere, no GUID", alike + " OFFICE_CLIENT_ID=mailer", "OFFICE_CLIENT_ID is not a GUID, as the Application (client) ID is"},
		{"Entra's path elsewhere, every tenant", alike + " OFFICE_TENANT_ID=common", "OFFICE_TENANT_ID stands for all tenants (common, organizations, consumers), not for one: a program needs the Directory (tenant) ID"},
		{"endpoint of version 1", "OFFICE_TOKEN_ENDPOINT=https://login.microsoftonline.com/#TenantID#/oauth2/token", "OFFICE_TOKEN_ENDPOINT does not end in /oauth2/v2.0/token: Entra accepts scopes only there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environ := complete()
			for _, kv := range strings.Fields(tt.set) {
				environ = append(environ, "SMTPSEND_"+kv)
			}
			wantLines(t, problems(t, options(t, environ...)), "warning: SMTPSEND_"+tt.want)
		})
	}
}

func TestGoodValuesPassUnremarked(t *testing.T) {
	for _, set := range []string{
		"OFFICE_TENANT_ID=contoso.onmicrosoft.com", "OFFICE_TENANT_ID=contoso.co.uk", "OFFICE_CLIENT_ID=" + strings.ToUpper(guid),
		"MAIL_SERVER=localhost SMTP_SECURITY=0", "MAIL_SERVER=127.0.0.5 SMTP_SECURITY=NONE", "MAIL_SERVER=::1 SMTP_SECURITY=0",
		"MAIL_SERVER=mx.example SMTP_SECURITY=1 SMTP_PORT=465", "MAIL_SERVER=MX-1._x.example.", "MAIL_SERVER=" + strings.Repeat("x", 63), "EHLO_NAME=[IPv6:2001:db8::1]", "PROXY=https://u:p@proxy.example",
		"MAIL_SENDER=\"Reports\"<reports@contoso.example>", "OFFICE_TOKEN_ENDPOINT=http://[::1]:80/#TenantID#/x",
		// Another OpenID provider has ids of its own.
		"OFFICE_TOKEN_ENDPOINT=https://idp.example/token OFFICE_CLIENT_ID=mailer OFFICE_TENANT_ID=common OFFICE_ACCESS_SCOPES=smtp",
		"OFFICE_TOKEN_ENDPOINT=https://idp.example/#TenantID#/oauth2/v2.0/token",
	} {
		t.Run(set, func(t *testing.T) {
			environ := complete()
			for _, kv := range strings.Fields(set) {
				environ = append(environ, "SMTPSEND_"+kv)
			}
			wantLines(t, problems(t, options(t, environ...)))
		})
	}
}

func TestSecurityNoneNeedsALoopbackName(t *testing.T) {
	for _, host := range []string{"localhost.example", "127.0.0.1.example", "0.0.0.0", "10.0.0.1", "localhos"} {
		got := problems(t, options(t, complete("SMTPSEND_SMTP_SECURITY=0", "SMTPSEND_MAIL_SERVER="+host)...))
		if len(got) != 1 || !strings.HasPrefix(got[0], "error: SMTPSEND_SMTP_SECURITY is 0") {
			t.Errorf("%s: %q", host, got)
		}
	}
}

func TestAllProblemsComeAtOnceInTheOrderOfTheTable(t *testing.T) {
	o := options(t, "SMTPSEND_SMTP_PORT=x", "SMTPSEND_IP_FAMILY=x", "SMTPSEND_NO_MAILS=x", "SMTPSEND_OFFICE_CLIENT_ID=a@b.c", "SMTPSEND_CLOUD=x")
	cfg, err := config.Load(t.Context(), o)
	p, ok := err.(*config.Problems) //nolint:errorlint // the type itself is promised
	if !ok {
		t.Fatalf("error is %T", err)
	}
	var names []string
	for _, problem := range p.Errors() {
		names = append(names, strings.TrimPrefix(problem.Variable, "SMTPSEND_"))
	}
	want := "NO_MAILS SMTP_PORT OFFICE_CLIENT_ID OFFICE_TENANT_ID OFFICE_CLIENT_SECRET CLOUD IP_FAMILY"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %s; want %s", got, want)
	}
	if cfg == nil || cfg.MailServer != "smtp.office365.com" || cfg.Origin("SMTP_PORT").Name != "SMTPSEND_SMTP_PORT" {
		t.Errorf("the Config beside the error is not fit to be shown: %v", cfg)
	}
}

func TestCAFileAddsToTheRoots(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(t.TempDir(), "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	cfg := load(t, options(t, complete("SMTPSEND_CA_FILE="+file)...))
	if err := os.Remove(file); err != nil { // it may be a pipe, which is empty when read again
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: cfg.RootCAs()}); err != nil {
		t.Errorf("the file's certificate is not a root: %v", err)
	}
	if system, err := x509.SystemCertPool(); err == nil {
		if alone := load(t, options(t, complete()...)); !alone.RootCAs().Equal(system) {
			t.Error("without a file the roots are not the system's")
		}
	}
	got := problems(t, options(t, complete("SMTPSEND_CA_FILE="+file+".missing")...))
	if len(got) != 1 || !strings.HasPrefix(got[0], "error: SMTPSEND_CA_FILE cannot be read: ") || strings.Contains(got[0], file) {
		t.Errorf("missing file: %q", got)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for text, want := range map[string]string{ // package certfile has more
		"no PEM": "does not contain a PEM certificate",
		good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n": fmt.Sprintf("holds a block 2 (line %d) that cannot be read as a certificate (x509: malformed certificate)", 1+strings.Count(good, "\n")),
	} {
		file := write(t, filepath.Join(t.TempDir(), "ca.pem"), text)
		wantLines(t, problems(t, options(t, complete("SMTPSEND_CA_FILE="+file)...)), "error: SMTPSEND_CA_FILE "+want)
	}
	marked := write(t, filepath.Join(t.TempDir(), "ca.pem"), "\ufeff"+good)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: load(t, options(t, complete("SMTPSEND_CA_FILE="+marked)...)).RootCAs()}); err != nil {
		t.Errorf("a byte order mark takes the first certificate away: %v", err)
	}
}

func TestPlainUserIsNoSender(t *testing.T) {
	for user, want := range map[string]string{"reports": "reports", "reports@contoso.example": "", "": ""} {
		cfg, _ := config.Load(t.Context(), config.Options{Offline: true, Environ: []string{"SMTPSEND_SMTP_USER_NAME=" + user}, UserConfigDir: t.TempDir(), SystemConfigDir: t.TempDir()})
		if got := cfg.PlainUser(); got != want {
			t.Errorf("%q: plain user %q, want %q", user, got, want)
		}
		if want != "" && cfg.MailSender != "" {
			t.Errorf("%q: mail sender %q", user, cfg.MailSender)
		}
	}
}
