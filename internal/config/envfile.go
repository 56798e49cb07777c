package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/settingsfile"
)

// readEnvFile finds, checks and reads the env file and adds it as a layer.
func (l *loader) readEnvFile() {
	found, err := l.places().Find()
	if err != nil {
		l.problems = append(l.problems, Problem{Text: err.Error(), Severity: SeverityError})
		return
	}
	if found.Name == "" {
		l.looked = found.Looked
		return
	}
	read, err := settingsfile.Read(found.Name)
	if unread, ok := errors.AsType[*settingsfile.Error](err); ok {
		severity := SeverityError
		if unread.Unopened && !found.Asked { // such as the system's file, which is for a service alone
			severity = SeverityWarning
		}
		l.fileProblem(found.Name, 0, severity, unread.Reason)
		return
	}
	l.lineProblems(found.Name, err)
	l.envFile = found.Name
	l.addEnvFile(found.Name, read)
}

// places are where the env file is looked for.
func (l *loader) places() settingsfile.Places {
	return settingsfile.Places{
		File: l.o.EnvFile, Profile: l.o.Profile, None: l.o.NoEnvFile, Variable: l.environ[Prefix+setting.EnvFile],
		Dirs: []string{dirOr(l.o.UserConfigDir, os.UserConfigDir), l.systemConfigDir()}, Program: "smtpsend",
	}
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

// addEnvFile adds what the file of that name holds as a layer.
func (l *loader) addEnvFile(name string, read settingsfile.File) {
	file := layer{SourceEnvFile, map[string]entry{}}
	lines := map[string]int{}
	for _, a := range read.Assignments {
		origin := Origin{Source: SourceEnvFile, Name: a.Name, File: name, Line: a.Line}
		if before := lines[a.Name]; before > 0 {
			l.fileProblem(name, a.Line, SeverityWarning,
				fmt.Sprintf("sets %s again, which line %d also does: the last one counts", a.Name, before))
		}
		lines[a.Name] = a.Line
		short, ok := strings.CutPrefix(a.Name, Prefix)
		if !ok {
			l.foreignName(a.Name, origin)
			continue
		}
		delete(file.values, short) // the last one holds, also when it is empty
		file.add(short, relativeTo(filepath.Dir(name), short, a.Value), origin)
		isInClear := a.Value != "" && !strings.HasPrefix(a.Value, sealedPrefix)
		if setting.IsSecretWay(short, "") && isInClear && read.ReadableByOthers {
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
