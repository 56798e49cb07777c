package config_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// Names of design.md D6, in its order of groups.
const settings = `MAIL_SENDER NO_MAILS REENCODE REENCODE_LONG_LINES MAIL_SERVER SERVICE SMTP_PORT SMTP_SECURITY SMTP_AUTHENTICATING SMTP_USER_NAME
OFFICE_CLIENT_ID OFFICE_TENANT_ID OFFICE_CLIENT_SECRET OFFICE_CLIENT_SECRET_NEXT OFFICE_CLIENT_SECRET_EXPIRES
OFFICE_TOKEN_ENDPOINT OFFICE_ACCESS_SCOPES OFFICE_TOKEN_GRACE_TIME_IN_SECONDS CLOUD
OFFICE_CLIENT_CERTIFICATE_FILE OFFICE_CLIENT_CERTIFICATE_KEY_FILE OFFICE_CLIENT_CERTIFICATE_PASSWORD OFFICE_CLIENT_CERTIFICATE_NEXT_FILE OFFICE_CLIENT_CERTIFICATE_CHAIN
OFFICE_FEDERATED_TOKEN_FILE OFFICE_FEDERATED_TOKEN_COMMAND OFFICE_FEDERATED_TOKEN_FROM OFFICE_FEDERATED_AUDIENCE OFFICE_SERVICE_CONNECTION_ID
OFFICE_MANAGED_IDENTITY OFFICE_ACCESS_TOKEN_FILE OFFICE_ACCESS_TOKEN_COMMAND
CA_FILE PROXY EHLO_NAME IP_FAMILY CACHE_DIR IDENTITY_FILE DEFAULT_DOMAIN ALIASES_FILE DEAD_LETTER_DIR FORCE_FROM
QUEUE STATE_DIR IN_DOUBT OPERATOR NOTIFY_COMMAND MESSAGES_PER_MINUTE RECIPIENTS_PER_DAY TIME_SCALE RELAY_FILE RELAY_SOCKET`

// chosen are the settings that have no field, because they name the credential: field
// Credential has the one that was chosen. Further ones belong to another credential
// than these.
var chosen = []string{
	"OFFICE_CLIENT_CERTIFICATE_FILE", "OFFICE_FEDERATED_TOKEN_FILE", "OFFICE_FEDERATED_TOKEN_COMMAND", "OFFICE_FEDERATED_TOKEN_FROM",
	"OFFICE_MANAGED_IDENTITY", "OFFICE_ACCESS_TOKEN_FILE", "OFFICE_ACCESS_TOKEN_COMMAND",
}

func TestTableAndStructAgree(t *testing.T) {
	var names []string
	flat := map[string]bool{}
	for _, s := range setting.All() {
		names = append(names, s.Name)
		flat[strings.ReplaceAll(s.Name, "_", "")] = true
		if s.Comment == "" || s.Group == "" || s.Example == "" {
			t.Errorf("%s lacks comment, group or example", s.Name)
		}
	}
	if got, want := strings.Join(names, " "), strings.Join(strings.Fields(settings), " "); got != want {
		t.Errorf("the table has\n%s\nwant\n%s", got, want)
	}
	for _, name := range chosen {
		delete(flat, strings.ReplaceAll(name, "_", ""))
	}
	typ := reflect.TypeFor[config.Config]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.IsExported() && !flat[strings.ToUpper(f.Name)] && f.Name != "Credential" {
			t.Errorf("field %s has no setting", f.Name)
		}
		delete(flat, strings.ToUpper(f.Name))
	}
	for name := range flat {
		t.Errorf("setting %s has no field", name)
	}
}

// envconfig must split each field's name into the variable of the table.
// A value that only the environment gives proves it.
func TestEveryVariableReachesItsField(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "none.pem")
	for _, s := range setting.All() {
		value := s.Example
		if s.Name == "CA_FILE" {
			value = ca
		}
		environ := []string{s.Variable() + "=" + value}
		for prefix, kind := range map[string]string{ // of a credential
			"OFFICE_CLIENT_SECRET_": "SMTPSEND_OFFICE_CLIENT_SECRET=x", "OFFICE_CLIENT_CERTIFICATE_PASSWORD": "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=x",
		} {
			if strings.HasPrefix(s.Name, prefix) {
				environ = append(environ, kind)
			}
		}
		with, _ := config.Load(t.Context(), options(t, environ...))
		without, _ := config.Load(t.Context(), options(t))
		field := strings.ReplaceAll(s.Name, "_", "")
		if slices.Contains(chosen, s.Name) {
			field = "Credential"
		}
		get := func(c *config.Config) any {
			return reflect.ValueOf(c).Elem().FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, field) }).Interface()
		}
		if s.Default == value {
			continue // the same with and without; TestValuesAreParsed sets others
		}
		if reflect.DeepEqual(get(with), get(without)) {
			t.Errorf("%s=%s leaves the field at %v", s.Variable(), value, get(with))
		}
	}
}

func TestExampleFileIsReadWithoutARemark(t *testing.T) {
	all, err := envfile.Read(strings.NewReader(setting.Example()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range all {
		if a.Value != "" {
			t.Errorf("%s has a value that nobody entered", a.Name)
		}
		names = append(names, a.Name)
	}
	if got := strings.Join(names, " "); got != "SMTPSEND_OFFICE_CLIENT_ID SMTPSEND_OFFICE_TENANT_ID SMTPSEND_OFFICE_CLIENT_SECRET" {
		t.Errorf("to be filled in: %s", got)
	}
	o := options(t)
	o.Offline = true
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), setting.Example())
	wantLines(t, problems(t, o))
	for i, line := range strings.Split(setting.Example(), "\n") {
		if len(line) > 100 {
			t.Errorf("line %d has %d columns", i+1, len(line))
		}
	}
}

// Every line that is commented out can be used by taking its # away.
func TestExampleLinesAreValid(t *testing.T) {
	text := setting.Example()
	for _, s := range setting.All() {
		if !s.Required && s.Name != "OFFICE_CLIENT_SECRET" {
			if !strings.Contains(text, "\n#"+s.Variable()+"=") {
				t.Errorf("%s is not in the example file", s.Variable())
			}
			text = strings.ReplaceAll(text, "\n#"+s.Variable()+"=", "\n"+s.Variable()+"=")
		}
	}
	text = strings.ReplaceAll(text, "SMTPSEND_CA_FILE=", "#")
	for _, name := range chosen { // beside a client secret
		text = strings.ReplaceAll(text, "SMTPSEND_"+name+"=", "#")
	}
	o := options(t)
	o.Offline = true
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), text)
	wantLines(t, problems(t, o))
}

// No input to Load makes it panic or print the secret beside it.
func FuzzLoad(f *testing.F) {
	f.Add("SMTP_PORT", "587", "SMTPSEND_EHLO_NAME=x")
	f.Add("PROXY", "http://u:p@h:1", "A='")
	f.Add("OFFICE_TOKEN_ENDPOINT", "https://h/#TenantID#", "SMTPSEND_CLOUD=china")
	f.Add("OFFICE_CLIENT_SECRET_COMMAND", "", "STMPSEND_X=1")
	f.Fuzz(func(t *testing.T, name, value, file string) {
		if strings.HasSuffix(name, "_COMMAND") || strings.Contains(file, "_COMMAND") || strings.ContainsRune(name, '=') {
			t.Skip("would run a program")
		}
		o := options(t, complete("SMTPSEND_"+name+"="+value)...)
		o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), file+"\nSMTPSEND_OFFICE_CLIENT_SECRET="+hidden)
		cfg, err := config.Load(t.Context(), o)
		_, _, _ = cfg.TokenURL(), cfg.Addr(), cfg.ProxyURL()
		text := ""
		if err != nil {
			text = err.Error()
		}
		for _, s := range cfg.Show() {
			text += s.Value + s.Origin
		}
		if !strings.Contains(name+value+file, hidden) && strings.Contains(text, hidden) {
			t.Fatalf("the secret is in %s", text)
		}
	})
}

// The defaults are in the table for people and in config for the program.
func TestDefaultsAreTheTables(t *testing.T) {
	var all []string
	for _, s := range setting.All() {
		if s.Default != "" && !strings.HasPrefix(s.Default, "(") {
			all = append(all, s.Variable()+"="+s.Default)
		}
	}
	o := options(t, all...)
	given, _ := config.Load(t.Context(), o) // ids and secret are missing
	o.Environ = []string{}
	unset, _ := config.Load(t.Context(), o)
	typ := reflect.TypeFor[config.Config]()
	for i := range typ.NumField() {
		field := func(c *config.Config) any { return reflect.ValueOf(c).Elem().Field(i).Interface() }
		if typ.Field(i).IsExported() && !reflect.DeepEqual(field(unset), field(given)) {
			t.Errorf("%s is %v, want %v", typ.Field(i).Name, field(unset), field(given))
		}
	}
}

// A default in brackets says where a value comes from and is none itself.
func TestDefaultForPeopleIsAValueLikeAnyOther(t *testing.T) {
	s, _ := setting.Named("EHLO_NAME")
	cfg, _ := config.Load(t.Context(), options(t, s.Variable()+"="+s.Default))
	if cfg.EHLOName != s.Default {
		t.Errorf("%s=%s gives %q", s.Variable(), s.Default, cfg.EHLOName)
	}
}
