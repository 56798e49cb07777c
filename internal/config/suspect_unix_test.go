//go:build unix

package config_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// trap is a command that leaves a mark, and prints a secret.
func trap(t *testing.T) (command, mark string) {
	t.Helper()
	mark = filepath.Join(t.TempDir(), "ran")
	return "sh -c 'touch " + mark + "; echo " + hidden + "'", mark
}

func ran(mark string) bool {
	_, err := os.Stat(mark)
	return err == nil
}

// One error anywhere, and no command runs: the file with the command may be
// somebody else's, of which that error is the only sign.
func TestNoCommandRunsAfterAnError(t *testing.T) {
	for name, tt := range map[string]struct{ file, environ string }{
		"a line that is no assignment": {"<html>\n", ""},
		"an open quote":                {"SMTPSEND_EHLO_NAME='x\n", ""},
		"a control character":          {"SMTPSEND_EHLO_NAME=a\x01b\n", ""},
		"a wrong value in the file":    {"SMTPSEND_SMTP_PORT=many\n", ""},
		"a value out of range":         {"SMTPSEND_SMTP_PORT=70000\n", ""},
		"a wrong endpoint":             {"SMTPSEND_OFFICE_TOKEN_ENDPOINT=http://evil.example/\n", ""},
		"a wrong environment":          {"", "SMTPSEND_SMTP_SECURITY=maybe"},
		"a missing file":               {"SMTPSEND_CA_FILE=/nowhere\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			command, mark := trap(t)
			o := options(t, ids(tt.environ, "PATH=/usr/bin:/bin")...)
			o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), tt.file+"SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND="+command+"\n")
			got := problems(t, o)
			if len(got) == 0 || ran(mark) {
				t.Errorf("problems %q; the command ran: %t", got, ran(mark))
			}
			o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND="+command+"\n")
			o.Environ = ids("PATH=/usr/bin:/bin")
			if cfg := load(t, o); cfg.OfficeClientSecret.Reveal() != hidden || !ran(mark) {
				t.Error("without the error the command did not run: this test shows nothing")
			}
		})
	}
}

// The same holds for the file of a secret, for one that is sealed and for
// standard input: nothing is read.
func TestNoSecretIsReadAfterAnError(t *testing.T) {
	for name, setting := range map[string]string{
		"file": "_FILE=secret", "standard input": "_FILE=-", "sealed": "=sealed:x",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			pipe := filepath.Join(dir, "secret")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil { // reading it would wait
				t.Fatal(err)
			}
			o := options(t, ids()...)
			o.EnvFile = write(t, filepath.Join(dir, "x.env"), "nonsense\nSMTPSEND_OFFICE_CLIENT_SECRET"+setting+"\n")
			o.Stdin = readerFunc(func([]byte) (int, error) { t.Error("standard input was read"); return 0, errors.New("read") })
			o.Unseal = func(context.Context, string, string) (secret.String, error) {
				t.Error("the identity was used")
				return secret.String{}, nil
			}
			wantLines(t, problems(t, o), "error: env file "+o.EnvFile+" line 1 is not KEY=VALUE")
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestNoSecretsRunsNoCommand(t *testing.T) {
	command, mark := trap(t)
	o := options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND="+command, "PATH=/usr/bin:/bin")...)
	o.NoSecrets = true
	if cfg := load(t, o); ran(mark) || !cfg.OfficeClientSecret.IsZero() {
		t.Error("the command ran")
	}
}

// What others could have written, or what is not a file of its own, is not read,
// and its command does not run.
func TestEnvFileThatAnybodyCouldFillIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		plant func(dir, good string) string
		part  string
	}{
		"pipe":        {func(dir, _ string) string { mkfifo(t, dir+"/p"); return dir + "/p" }, " is a pipe, not a regular file"},
		"device":      {func(string, string) string { return "/dev/zero" }, " is a device, not a regular file"},
		"directory":   {func(dir, _ string) string { return dir }, " is a directory"},
		"hard link":   {func(dir, good string) string { must(t, os.Link(good, dir+"/l")); return dir + "/l" }, " has a second name"},
		"open to all": {func(dir, good string) string { must(t, os.Chmod(good, 0o666)); return good }, " may be written by others"},
		"a link where all may write": {func(dir, good string) string {
			must(t, errors.Join(os.Mkdir(dir+"/open", 0o700), os.Chmod(dir+"/open", 0o777), os.Symlink(good, dir+"/open/l")))
			return dir + "/open/l"
		}, " is reached by a link (l) that others may have made"},
		"command line":   {func(string, string) string { return "/proc/self/cmdline" }, " is not a file on a disk"},
		"environment":    {func(string, string) string { return "/proc/self/environ" }, " is not a file on a disk"},
		"standard input": {func(string, string) string { return "/dev/stdin" }, " is not a file on a disk"},
		"a descriptor":   {func(string, string) string { return "/proc/self/fd/0" }, " is not a file on a disk"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			command, mark := trap(t)
			good := write(t, filepath.Join(dir, "good.env"), "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND="+command+"\n")
			o := options(t, ids("PATH=/usr/bin:/bin")...)
			o.EnvFile = tt.plant(dir, good)
			if _, err := os.Stat(o.EnvFile); errors.Is(err, fs.ErrNotExist) {
				t.Skip("not on this system")
			}
			wantLines(t, firstOf(problems(t, o), tt.part), "error: env file "+o.EnvFile+tt.part)
			if ran(mark) {
				t.Error("the command ran")
			}
		})
	}
}

// firstOf cuts the only problem after part.
func firstOf(lines []string, part string) []string {
	if len(lines) == 1 {
		if i := strings.Index(lines[0], part); i >= 0 {
			return []string{lines[0][:i+len(part)]}
		}
	}
	return lines
}

func mkfifo(t *testing.T, name string) {
	t.Helper()
	must(t, syscall.Mkfifo(name, 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDevNullIsNoEnvFile(t *testing.T) {
	o := options(t, complete()...)
	write(t, inDir(o.UserConfigDir, "smtpsend.env"), "SMTPSEND_EHLO_NAME=user")
	o.EnvFile = os.DevNull
	if cfg := load(t, o); cfg.EHLOName != "" || cfg.EnvFile() != "" {
		t.Errorf("EHLO_NAME is %q from %q", cfg.EHLOName, cfg.EnvFile())
	}
}

// Whoever calls sendmail does not read what the command of the settings says.
func TestSilentCommandsAreNotQuoted(t *testing.T) {
	o := options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sh -c 'echo "+hidden+"-on-stderr >&2; exit 3'", "PATH=/usr/bin:/bin")...)
	o.SilentCommands = true
	wantLines(t, problems(t, o), "error: SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND ended with exit status 3")
}

// A pipe that nobody writes to does not hold up who interrupts.
func TestSecretInASilentPipeEndsWithItsContext(t *testing.T) {
	for _, setting := range []string{"SMTPSEND_OFFICE_CLIENT_SECRET_FILE", "SMTPSEND_CA_FILE"} {
		pipe := filepath.Join(t.TempDir(), "pipe")
		mkfifo(t, pipe)
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := config.Load(ctx, options(t, ids(setting+"="+pipe)...)); err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestAuthorityHostIsOneOfMicrosofts(t *testing.T) {
	const refused = "error: AZURE_AUTHORITY_HOST names a host that is not Microsoft's: set SMTPSEND_OFFICE_TOKEN_ENDPOINT if the secret is to go there"
	for _, host := range []string{
		"https://login.evil.example", "login.evil.example", "https://login.microsoftonline.com@evil.example", "https://login.microsoftonline.com.evil.example/",
		"https://evil.example/login.microsoftonline.com", `https://evil.example\@login.microsoftonline.com`, "https://evil.example#login.microsoftonline.com",
		"https://", "https://[::1]/", "https://login.microsoftonline.com%2eevil.example",
	} {
		command, mark := trap(t)
		o := options(t, ids("AZURE_AUTHORITY_HOST="+host, "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND="+command, "PATH=/usr/bin:/bin")...)
		if got := problems(t, o); len(got) == 0 || got[len(got)-1] != refused && got[0] != refused || ran(mark) {
			t.Errorf("%s: %q", host, got)
		}
		o.Environ = append(o.Environ, "SMTPSEND_OFFICE_TOKEN_ENDPOINT=https://id.contoso.example/token")
		if cfg := load(t, o); cfg.TokenURL() != "https://id.contoso.example/token" {
			t.Errorf("%s beside an endpoint: %s", host, cfg.TokenURL())
		}
	}
	for _, host := range []string{"https://login.microsoftonline.us/", "login.partner.microsoftonline.cn", "HTTPS://LOGIN.MICROSOFTONLINE.COM"} {
		if _, err := config.Load(t.Context(), options(t, complete("AZURE_AUTHORITY_HOST="+host)...)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestNoEncryptionGoesThroughNoProxy(t *testing.T) {
	wantLines(t, problems(t, options(t, complete("SMTPSEND_MAIL_SERVER=127.0.0.1", "SMTPSEND_SMTP_SECURITY=0", "SMTPSEND_PROXY=http://127.0.0.1:3128")...)),
		"error: SMTPSEND_SMTP_SECURITY is 0 (no encryption), but SMTPSEND_PROXY is set: the token would be sent through the proxy unencrypted")
}

// FuzzEnvFileRunsNothingUnlessWhole: whatever stands around the line that names a
// command, it runs only when all of the file was understood.
func FuzzEnvFileRunsNothingUnlessWhole(f *testing.F) {
	for _, seed := range []string{"", "# x\n", "\x00", "'\n", "SMTPSEND_SMTP_PORT=x\n", "smtpsend\x00--env-file=/proc/self/cmdline\x00x\n", "From: a\n\n", "\xff\xfe", "A=b\r\n"} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, before, after []byte) {
		dir := t.TempDir()
		mark := filepath.Join(dir, "ran")
		o := config.Options{
			Environ:       ids("PATH=/usr/bin:/bin"),
			UserConfigDir: dir, SystemConfigDir: dir, UserCacheDir: dir,
			EnvFile: filepath.Join(dir, "x.env"),
		}
		text := fmt.Sprintf("%s\nSMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=touch %s\n%s", before, mark, after)
		if err := os.WriteFile(o.EnvFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(t.Context(), o)
		var all *config.Problems
		if errors.As(err, &all) && ran(mark) {
			for _, p := range all.Errors() {
				// The command itself prints nothing: that is what is wrong when it ran.
				if p.Variable != "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND" {
					t.Fatalf("the command ran beside %v", p)
				}
			}
		}
	})
}
