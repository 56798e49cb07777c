package config_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// ids is an environment without a secret.
func ids(more ...string) []string {
	return append([]string{"SMTPSEND_OFFICE_CLIENT_ID=" + guid, "SMTPSEND_OFFICE_TENANT_ID=" + tenant}, more...)
}

func TestSecretComesFromWhereItLives(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), hidden+"\n")
	write(t, filepath.Join(dir, "cred", "smtpsend.office_client_secret"), hidden)
	envFile := write(t, filepath.Join(dir, "x.env"), "SMTPSEND_OFFICE_CLIENT_SECRET='"+hidden+"'")
	const variable = "SMTPSEND_OFFICE_CLIENT_SECRET"
	for _, tt := range []struct {
		name, set, stdin, origin string
	}{
		{"value", variable + "=" + hidden, "", "environment " + variable},
		{"file", variable + "_FILE=" + file, "", "environment " + variable + "_FILE"},
		{"standard input", variable + "_FILE=-", hidden + "\r\n", "environment " + variable + "_FILE"},
		{"systemd credential", "CREDENTIALS_DIRECTORY=" + filepath.Join(dir, "cred"), "", "systemd credential smtpsend.office_client_secret"},
		{"other systemd credentials", "CREDENTIALS_DIRECTORY=" + dir, "", envFile + ":1"},
		{"env file", "X=y", "", envFile + ":1"},
		{"env file before Azure", "AZURE_CLIENT_SECRET=other", "", envFile + ":1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, ids(tt.set)...)
			o.EnvFile = envFile // hidden by whatever the environment has
			o.Stdin = strings.NewReader(tt.stdin)
			cfg := load(t, o)
			if got := cfg.OfficeClientSecret.Reveal(); got != hidden {
				t.Errorf("secret is %q", got)
			}
			if got := cfg.Origin("OFFICE_CLIENT_SECRET").String(); got != tt.origin {
				t.Errorf("origin is %q; want %q", got, tt.origin)
			}
		})
	}
}

func TestSecretGivenTwiceIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "smtpsend.office_client_secret"), hidden)
	const variable = "SMTPSEND_OFFICE_CLIENT_SECRET"
	const text = "error: " + variable + " is given in several ways, keep one: "
	for want, set := range map[string][]string{
		variable + ", " + variable + "_FILE":                                    {variable + "=" + hidden, variable + "_FILE=/x"},
		variable + "_COMMAND, " + variable + "_FILE":                            {variable + "_COMMAND=x", variable + "_FILE=/x"},
		variable + ", systemd credential smtpsend.office_client_secret":         {variable + "=" + hidden, "CREDENTIALS_DIRECTORY=" + dir},
		variable + ", " + variable + "_COMMAND, " + variable + "_FILE":          {variable + "=" + hidden, variable + "_COMMAND=x", variable + "_FILE=/x"},
		variable + "_COMMAND, systemd credential smtpsend.office_client_secret": {variable + "_COMMAND=x", "CREDENTIALS_DIRECTORY=" + dir},
	} {
		wantLines(t, problems(t, options(t, ids(set...)...)), text+want)
	}
	o := options(t, ids()...)
	o.EnvFile = write(t, filepath.Join(dir, "x.env"), variable+"="+hidden+"\n"+variable+"_FILE=x\n")
	wantLines(t, problems(t, o), text+variable+", "+variable+"_FILE")
}

func TestSecretFileThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "\n", "large": strings.Repeat("x", 64<<10+1), "two lines": hidden + "\n\n", "binary": "\xff" + hidden,
	} {
		file := write(t, filepath.Join(dir, name), text)
		got := problems(t, options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_FILE="+file)...))
		want := map[string]string{
			"empty":     "error: SMTPSEND_OFFICE_CLIENT_SECRET_FILE names " + file + ", which is empty",
			"large":     "error: SMTPSEND_OFFICE_CLIENT_SECRET_FILE names " + file + ", which cannot be read: is larger than allowed",
			"two lines": "error: SMTPSEND_OFFICE_CLIENT_SECRET_FILE gives a secret that begins or ends with a blank or line end",
			"binary":    "error: SMTPSEND_OFFICE_CLIENT_SECRET_FILE names " + file + ", which is neither UTF-8 nor UTF-16 with a byte order mark: \"iconv -f CP1252 -t UTF-8 FILE\", or in PowerShell \"Get-Content FILE | Out-File -Encoding utf8 NEW\", converts it",
		}[name]
		wantLines(t, got, want)
	}
	got := problems(t, options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_FILE="+filepath.Join(dir, "none"))...))
	if len(got) != 1 || !strings.HasPrefix(got[0], "error: SMTPSEND_OFFICE_CLIENT_SECRET_FILE names "+filepath.Join(dir, "none")+", which cannot be read: ") {
		t.Errorf("missing file: %q", got)
	}
	wantLines(t, problems(t, options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_FILE=-")...)),
		"error: SMTPSEND_OFFICE_CLIENT_SECRET_FILE is -, but standard input is not to be read here")
	bom := write(t, filepath.Join(dir, "bom"), "\ufeff"+hidden+"\r\n")
	if cfg := load(t, options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_FILE="+bom)...)); cfg.OfficeClientSecret.Reveal() != hidden {
		t.Error("a byte order mark became part of the secret")
	}
}

func TestSecretCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("commands of Unix")
	}
	path := "PATH=/usr/local/bin:/usr/bin:/bin"
	const variable = "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND"
	for name, command := range map[string]string{
		"plain":               "printf %s " + hidden,
		"single quotes":       "printf '%s\n' '" + hidden + "'",
		"double quotes":       `sh -c "printf \"%s\" ` + hidden + `"`,
		"own shell":           "sh -c 'X=" + hidden + "; echo $X'",
		"sees the variables":  "printenv HIDDEN",
		"backslash is itself": `printf %s\n ` + hidden,
		"leaves an agent":     "sh -c 'echo " + hidden + "; sleep 5 &'",
	} {
		cfg := load(t, options(t, ids(variable+"="+command, path, "HIDDEN="+hidden)...))
		if got := cfg.OfficeClientSecret.Reveal(); got != hidden {
			t.Errorf("%s: secret is %q", name, got)
		}
	}
	for command, want := range map[string]string{
		"sh -c 'echo no such item >&2; exit 3'":                                     `ended with exit status 3; it said: "no such item"`,
		"sh -c 'echo " + hidden + "; echo + x" + hidden + " >&2; exit 1'":           `ended with exit status 1; it said: "+ x[redacted]"`,
		"sh -c 'echo " + hidden + "; printf %0500d%s 0 " + hidden + " >&2; exit 1'": `ended with exit status 1; it said: "` + strings.Repeat("0", 500) + `[redacted]"`,
		"sh -c 'printf \"a\\033[1mb\" >&2; exit 1'":                                 `ended with exit status 1; it said: "a\x1b[1mb"`,
		"no-such-program-" + hidden[:4] + " x":                                      "did not run: executable file not found in $PATH",
		"true":                                                                      "ran, but its output is empty",
		"printf 'x":                                                                 "has an opening quote without a closing one",
		"''":                                                                        "does not name a program",
		"head -c 70000 /dev/zero":                                                   "printed more than 65536 octets",
		"echo $HIDDEN *":                                                            "",
	} {
		got := problems(t, options(t, ids(variable+"="+command, path, "HIDDEN="+hidden)...))
		if want == "" { // no shell: the text itself is the secret
			wantLines(t, got)
			continue
		}
		wantLines(t, got, "error: "+variable+" "+want)
	}
}

func TestSecretCommandIsStoppedAtItsLimit(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("commands of Unix")
	}
	o := options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sleep 600", "PATH=/usr/bin:/bin")...)
	o.CommandTimeout = 20 * time.Millisecond
	wantLines(t, problems(t, o), "error: SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND took longer than 20ms")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.CommandTimeout = 0
	_, err := config.Load(ctx, o)
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSealedSecretIsOpenedByTheCaller(t *testing.T) {
	o := options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET=sealed:abc", "SMTPSEND_IDENTITY_FILE=/etc/id")...)
	wantLines(t, problems(t, o), "error: SMTPSEND_OFFICE_CLIENT_SECRET is sealed and cannot be opened here")
	o.Unseal = func(_ context.Context, file, sealed string) (secret.String, error) {
		if file != "/etc/id" || sealed != "sealed:abc" {
			t.Errorf("Unseal(%q, %q)", file, sealed)
		}
		return secret.New(hidden), nil
	}
	if got := load(t, o).OfficeClientSecret.Reveal(); got != hidden {
		t.Errorf("secret is %q", got)
	}
	o.Unseal = func(context.Context, string, string) (secret.String, error) {
		return secret.String{}, errors.New("there is no identity file")
	}
	wantLines(t, problems(t, o), "error: SMTPSEND_OFFICE_CLIENT_SECRET cannot be opened: there is no identity file")
}
