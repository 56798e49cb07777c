package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
)

// inDir returns the path of a file in a configuration directory.
func inDir(dir, base string) string { return filepath.Join(dir, "smtpsend", base) }

func TestEnvFileIsFoundInItsPlaces(t *testing.T) {
	o := options(t, complete()...)
	check := func(name, want string, o config.Options) {
		t.Helper()
		cfg := load(t, o)
		if cfg.EHLOName != want {
			t.Errorf("%s: EHLO_NAME is %q from %q; want %q", name, cfg.EHLOName, cfg.Origin("EHLO_NAME"), want)
		}
	}
	check("no file", "", o)
	write(t, inDir(o.SystemConfigDir, "smtpsend.env"), "SMTPSEND_EHLO_NAME=system")
	check("system", "system", o)
	write(t, inDir(o.UserConfigDir, "smtpsend.env"), "SMTPSEND_EHLO_NAME=user")
	check("user before system", "user", o)
	named := write(t, filepath.Join(t.TempDir(), "named.env"), "SMTPSEND_EHLO_NAME=named")
	o.Environ = complete("SMTPSEND_ENV_FILE=" + named)
	check("environment before user", "named", o)

	asked := o
	asked.EnvFile = write(t, filepath.Join(t.TempDir(), "asked.env"), "SMTPSEND_EHLO_NAME=asked")
	check("asked for before environment", "asked", asked)

	profile := o
	profile.Profile = "hve"
	write(t, inDir(o.SystemConfigDir, "hve.env"), "SMTPSEND_EHLO_NAME=profile")
	check("profile before environment", "profile", profile)

	none := o
	none.NoEnvFile = true
	check("not wanted", "", none)
}

func TestWorkingDirectoryIsNotSearched(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".env", "smtpsend.env", "smtpsend/smtpsend.env", "hve.env"} {
		write(t, filepath.Join(dir, name), "SMTPSEND_OFFICE_TOKEN_ENDPOINT=https://evil.example/\n")
	}
	t.Chdir(dir)
	cfg := load(t, options(t, complete()...))
	if cfg.EnvFile() != "" || strings.Contains(cfg.TokenURL(), "evil") {
		t.Errorf("read %q; endpoint %s", cfg.EnvFile(), cfg.TokenURL())
	}
}

func TestEnvFileThatWasAskedForMustBeThere(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.env")
	for name, o := range map[string]config.Options{
		"flag":        {EnvFile: missing},
		"environment": {Environ: []string{"SMTPSEND_ENV_FILE=" + missing}},
	} {
		base := options(t, complete(o.Environ...)...)
		base.EnvFile = o.EnvFile
		got := problems(t, base)
		if len(got) != 1 || !strings.HasPrefix(got[0], "error: env file "+missing+" cannot be opened: ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	o := options(t, complete()...)
	o.Profile = "hve"
	wantLines(t, problems(t, o), `error: profile "hve" was not found: looked for `+
		inDir(o.UserConfigDir, "hve.env")+" and "+inDir(o.SystemConfigDir, "hve.env"))
	o.EnvFile = missing
	wantLines(t, problems(t, o), "error: an env file and a profile are both given: give only one")
	for _, bad := range []string{"../x", "a/b", `a\b`, "..", "c:x"} {
		o := options(t, complete()...)
		o.Profile = bad
		wantLines(t, problems(t, o), "error: the profile's name is not a plain file name")
	}
	o = options(t, complete()...)
	o.EnvFile = t.TempDir()
	wantLines(t, problems(t, o), "error: env file "+o.EnvFile+" is a directory")
}

// What a file that cannot be read would have set is not missing as well.
func TestAnEnvFileThatCannotBeReadIsTheOneProblem(t *testing.T) {
	o := options(t)
	o.EnvFile = filepath.Join(t.TempDir(), "missing.env")
	if got := problems(t, o); len(got) != 1 || !strings.Contains(got[0], " cannot be opened: ") {
		t.Errorf("got %q", got)
	}
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), "no assignment\n")
	if got := problems(t, o); len(got) != 4 {
		t.Errorf("one line that cannot be read: %q; want it and three settings that are not set", got)
	}
}

func TestEnvFileOfOthersIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits")
	}
	const refused = " may be written by others, who could name a command or another token endpoint in it: chmod go-w it"
	for mode, want := range map[os.FileMode]string{0o600: "", 0o400: "", 0o644: "", 0o640: "", 0o660: refused, 0o602: refused, 0o666: refused} {
		o := options(t, complete()...)
		o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), "SMTPSEND_EHLO_NAME=file")
		if err := os.Chmod(o.EnvFile, mode); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			wantLines(t, problems(t, o))
			continue
		}
		wantLines(t, problems(t, o), "error: env file "+o.EnvFile+want)
		if cfg, _ := config.Load(t.Context(), o); cfg.EHLOName != "" {
			t.Errorf("mode %o: the file was used", mode)
		}
	}
}

func TestEnvFileOfAnotherOwnerIsRefused(t *testing.T) {
	o := options(t, complete()...)
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), "SMTPSEND_EHLO_NAME=file")
	if os.Geteuid() != 0 || os.Chown(o.EnvFile, 65534, -1) != nil {
		t.Skip("only root can give a file away")
	}
	wantLines(t, problems(t, o), "error: env file "+o.EnvFile+" belongs neither to you nor to root: chown it or use a copy of your own")
}

func TestSecretInAReadableFileIsWarnedOf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits")
	}
	o := options(t)
	o.Offline = true
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"), "\nSMTPSEND_OFFICE_CLIENT_SECRET="+hidden)
	if err := os.Chmod(o.EnvFile, 0o644); err != nil {
		t.Fatal(err)
	}
	wantLines(t, problems(t, o), "warning: env file "+o.EnvFile+
		" line 2 holds SMTPSEND_OFFICE_CLIENT_SECRET and may be read by others: chmod 600 "+o.EnvFile)
}

func TestBadLinesAreReportedAndTheRestIsRead(t *testing.T) {
	o := options(t, complete()...)
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "x.env"),
		hidden+"\nSMTPSEND_EHLO_NAME=one\nSMTPSEND_EHLO_NAME=two\nSMTPSEND_PROXY='"+hidden+"\n")
	got := problems(t, o)
	wantLines(t, got,
		"error: env file "+o.EnvFile+" line 1 is not KEY=VALUE",
		"error: env file "+o.EnvFile+" line 4 has an opening quote without a closing one",
		"warning: env file "+o.EnvFile+" line 3 sets SMTPSEND_EHLO_NAME again, which line 2 also does: the last one counts")
	if cfg, _ := config.Load(t.Context(), o); cfg.EHLOName != "two" {
		t.Errorf("EHLO_NAME is %q", cfg.EHLOName)
	}
	o.EnvFile = write(t, filepath.Join(t.TempDir(), "big.env"), strings.Repeat("#\n", 200<<10))
	wantLines(t, problems(t, o), "error: env file "+o.EnvFile+" cannot be read: reading env file: is larger than 256 KiB")
}

func TestPathsInAnEnvFileAreRelativeToIt(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(t.TempDir())
	write(t, filepath.Join(dir, "conf", "secret"), hidden+"\n")
	o := options(t, "SMTPSEND_OFFICE_CLIENT_ID="+guid, "SMTPSEND_OFFICE_TENANT_ID="+tenant)
	o.EnvFile = write(t, filepath.Join(dir, "conf", "x.env"),
		"SMTPSEND_OFFICE_CLIENT_SECRET_FILE=secret\nSMTPSEND_CACHE_DIR=../cache\nSMTPSEND_IDENTITY_FILE=/abs\nSMTPSEND_EHLO_NAME=name\n")
	cfg := load(t, o)
	if cfg.OfficeClientSecret.Reveal() != hidden || cfg.CacheDir != filepath.Join(dir, "cache") || cfg.IdentityFile != "/abs" || cfg.EHLOName != "name" {
		t.Errorf("secret read: %t, cache %q, identity %q, name %q", !cfg.OfficeClientSecret.IsZero(), cfg.CacheDir, cfg.IdentityFile, cfg.EHLOName)
	}
}

// The system's file may be for a service alone; another user still works from
// the environment.
func TestUnreadableDefaultFileIsNoError(t *testing.T) {
	o := options(t, complete()...)
	loop := inDir(o.SystemConfigDir, "smtpsend.env")
	if err := os.MkdirAll(filepath.Dir(loop), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("smtpsend.env", loop); err != nil {
		t.Skip("no symbolic links")
	}
	got := problems(t, o)
	if len(got) != 1 || !strings.HasPrefix(got[0], "warning: env file "+loop+" cannot be opened: ") {
		t.Errorf("got %q", got)
	}
	home := write(t, filepath.Join(t.TempDir(), "null"), "")
	o = options(t, complete()...)
	o.UserConfigDir = home // a service whose home is no directory
	wantLines(t, problems(t, o))
}
