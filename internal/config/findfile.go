package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// readEnvFile finds, checks and reads the env file and adds it as a layer.
func (l *loader) readEnvFile() {
	name, asked := l.findEnvFile()
	if name == "" || name == os.DevNull { // how people say that there is none
		return
	}
	f, err := ownfile.OpenTrusted(name)
	var untrusted *ownfile.Error
	if errors.As(err, &untrusted) {
		reason := untrusted.Reason
		if errors.Is(err, ownfile.ErrOthersWrite) { // say why that matters
			reason = strings.Replace(reason, "by others:", "by others, who could name a command or another token endpoint in it:", 1)
		}
		l.fileProblem(name, 0, SeverityError, reason)
		return
	}
	if err != nil {
		severity := SeverityError
		if !asked { // such as the system's file, which is for a service alone
			severity = SeverityWarning
		}
		l.fileProblem(name, 0, severity, "cannot be opened: "+ownfile.Reason(err))
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		l.fileProblem(name, 0, SeverityError, "cannot be read: "+ownfile.Reason(err))
		return
	}
	l.envFile = name
	l.addEnvFile(f, name, readableByOthers(info))
}

// readableByOthers does not count the group: a file that root owns and a
// service's group may read is the usual way to configure one. Windows has no such
// bits.
func readableByOthers(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}

func (l *loader) addEnvFile(f *os.File, name string, readable bool) {
	all, err := envfile.Read(f)
	l.lineProblems(name, err)
	file := layer{SourceEnvFile, map[string]entry{}}
	lines := map[string]int{}
	for _, a := range all {
		origin := Origin{Source: SourceEnvFile, Name: a.Name, File: name, Line: a.Line}
		if before := lines[a.Name]; before > 0 {
			l.fileProblem(name, a.Line, SeverityWarning,
				fmt.Sprintf("sets %s again, which line %d does too: the last one holds", a.Name, before))
		}
		lines[a.Name] = a.Line
		short, ok := strings.CutPrefix(a.Name, Prefix)
		if !ok {
			l.foreignName(a.Name, origin)
			continue
		}
		delete(file.values, short) // the last one holds, also when it is empty
		file.add(short, relativeTo(filepath.Dir(name), short, a.Value), origin)
		if s, ok := setting.Named(short); ok && s.Secret && readable && a.Value != "" &&
			!strings.HasPrefix(a.Value, sealedPrefix) {
			l.fileProblem(name, a.Line, SeverityWarning, "holds "+a.Name+" and may be read by others: chmod 600 "+name)
		}
	}
	l.layers = append(l.layers, file)
}

// relativeTo makes the path in a setting that names one relative to dir, where the env
// file is.
func relativeTo(dir, name, text string) string {
	s, known := setting.Named(name)
	isFile := known && s.Path
	isSecretFile := setting.IsSecretWay(name, "_FILE") && text != "-"
	if text == "" || filepath.IsAbs(text) {
		return text
	}
	if isFile || isSecretFile {
		return filepath.Join(dir, text)
	}
	return text
}

// lineProblems notes what could not be read.
func (l *loader) lineProblems(name string, err error) {
	var lines *envfile.Error
	switch {
	case errors.As(err, &lines):
		for _, line := range lines.Lines {
			l.fileProblem(name, line.Line, SeverityError, line.Reason)
		}
	case err != nil:
		l.fileProblem(name, 0, SeverityError, "cannot be read: "+ownfile.Reason(err))
	}
}

// fileProblem notes a problem with the env file itself. It is written as a
// sentence about the file, so the source stays empty.
func (l *loader) fileProblem(name string, line int, severity Severity, text string) {
	where := "env file " + name
	if line > 0 {
		where = fmt.Sprintf("%s line %d", where, line)
	}
	l.problems = append(l.problems, Problem{Text: where + " " + text, Severity: severity})
}

// findEnvFile returns the file to read, and whether someone asked for it, so
// that it must be there.
func (l *loader) findEnvFile() (name string, asked bool) {
	env := l.environ[Prefix+setting.EnvFile]
	switch {
	case l.o.EnvFile != "" && l.o.Profile != "":
		l.problems = append(l.problems, Problem{Text: "both an env file and a profile are asked for: name one", Severity: SeverityError})
		return "", false
	case l.o.EnvFile != "":
		return l.o.EnvFile, true
	case l.o.Profile != "":
		return l.findProfile(), true
	case l.o.NoEnvFile:
		return "", false
	case env != "":
		return env, true
	}
	if name, l.looked = l.search("smtpsend.env"); name != "" {
		l.looked = nil
	}
	return name, false
}

func (l *loader) findProfile() string {
	profile := l.o.Profile
	if strings.ContainsAny(profile, "/\\:\x00") || profile == "." || profile == ".." {
		l.problems = append(l.problems, Problem{Text: "the profile's name is not a plain file name", Severity: SeverityError})
		return ""
	}
	name, looked := l.search(profile + ".env")
	if name == "" {
		l.problems = append(l.problems, Problem{
			Text: fmt.Sprintf("profile %q is not there: looked for %s", profile, strings.Join(looked, " and ")), Severity: SeverityError,
		})
	}
	return name
}

// search looks in the user's, then in the system's configuration directory. A
// file that is there but may not be examined counts as found, so that it is
// reported; a home that is no directory, such as /dev/null, has none.
func (l *loader) search(base string) (name string, looked []string) {
	for _, dir := range []string{dirOr(l.o.UserConfigDir, os.UserConfigDir), l.systemConfigDir()} {
		if dir == "" {
			continue
		}
		name := filepath.Join(dir, "smtpsend", base)
		_, err := os.Stat(name)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return name, nil
		}
		looked = append(looked, name)
	}
	return "", looked
}

func (l *loader) systemConfigDir() string {
	if l.o.SystemConfigDir != "" {
		return l.o.SystemConfigDir
	}
	if runtime.GOOS == "windows" {
		return l.environ["PROGRAMDATA"]
	}
	return "/etc"
}
