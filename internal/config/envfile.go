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

// envFileSearch finds and reads the env file.
type envFileSearch struct {
	o     Options
	from  *sources
	found *findings

	name   string   // of the file that was read
	looked []string // for the file that no one named, when there is none
}

// read finds, checks and reads the env file and adds it as a layer.
func (s *envFileSearch) read() {
	file, err := s.places().Find()
	if err != nil {
		s.found.add(Problem{Text: err.Error(), Severity: SeverityError})
		return
	}
	if file.Name == "" {
		s.looked = file.Looked
		return
	}
	read, err := settingsfile.Read(file.Name)
	if unread, ok := errors.AsType[*settingsfile.Error](err); ok {
		severity := SeverityError
		if unread.Unopened && !file.Asked { // such as the system's file, which is for a service alone
			severity = SeverityWarning
		}
		s.fileProblem(file.Name, 0, severity, unread.Reason)
		return
	}
	s.lineProblems(file.Name, err)
	s.name = file.Name
	s.addEnvFile(file.Name, read)
}

// places are where the env file is looked for.
func (s *envFileSearch) places() settingsfile.Places {
	return settingsfile.Places{
		File: s.o.EnvFile, Profile: s.o.Profile, None: s.o.NoEnvFile, Variable: s.from.environ[Prefix+setting.EnvFile],
		Dirs: []string{dirOr(s.o.UserConfigDir, os.UserConfigDir), s.systemConfigDir()}, Program: "smtpsend",
	}
}

func (s *envFileSearch) systemConfigDir() string {
	if s.o.SystemConfigDir != "" {
		return s.o.SystemConfigDir
	}
	if runtime.GOOS == "windows" {
		return s.from.environ["PROGRAMDATA"]
	}
	return "/etc"
}

// addEnvFile adds what the file of that name holds as a layer.
func (s *envFileSearch) addEnvFile(name string, read settingsfile.File) {
	file := layer{SourceEnvFile, map[string]entry{}}
	lines := map[string]int{}
	for _, a := range read.Assignments {
		origin := Origin{Source: SourceEnvFile, Name: a.Name, File: name, Line: a.Line}
		if before := lines[a.Name]; before > 0 {
			s.fileProblem(name, a.Line, SeverityWarning,
				fmt.Sprintf("sets %s again, which line %d also does: the last one counts", a.Name, before))
		}
		lines[a.Name] = a.Line
		short, ok := strings.CutPrefix(a.Name, Prefix)
		if !ok {
			foreignName(s.found, a.Name, origin)
			continue
		}
		delete(file.values, short) // the last one holds, also when it is empty
		file.add(short, relativeTo(filepath.Dir(name), short, a.Value), origin)
		isInClear := a.Value != "" && !strings.HasPrefix(a.Value, sealedPrefix)
		if setting.IsSecretWay(short, "") && isInClear && read.ReadableByOthers {
			s.fileProblem(name, a.Line, SeverityWarning, "holds "+a.Name+" and may be read by others: chmod 600 "+name)
		}
	}
	s.from.layers = append(s.from.layers, file)
}

// relativeTo makes the path in a setting that names one relative to dir, where the env
// file is.
func relativeTo(dir, name, text string) string {
	named, known := setting.Named(name)
	isFile := known && named.Path
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
func (s *envFileSearch) lineProblems(name string, err error) {
	var lines *envfile.Error
	switch {
	case errors.As(err, &lines):
		for _, line := range lines.Lines {
			s.fileProblem(name, line.Line, SeverityError, line.Reason)
		}
	case err != nil:
		s.fileProblem(name, 0, SeverityError, "cannot be read: "+ownfile.Reason(err))
	}
}

// fileProblem notes a problem with the env file itself. It is written as a
// sentence about the file, so the source stays empty.
func (s *envFileSearch) fileProblem(name string, line int, severity Severity, text string) {
	where := "env file " + name
	if line > 0 {
		where = fmt.Sprintf("%s line %d", where, line)
	}
	s.found.add(Problem{Text: where + " " + text, Severity: severity})
}
