package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/users"
)

// Examination is what is wrong with a settings file, and with what it names.
type Examination struct {
	File      string              `json:"file"`
	Listeners int                 `json:"listeners"` // 0 when the file does not hold
	Clients   int                 `json:"clients"`
	Problems  []relayfile.Problem `json:"problems"` // that keep a relay from starting
	Warnings  []relayfile.Problem `json:"warnings"`
}

// Examine reads a settings file, and the users file and the certificates that it names.
// Nothing is opened to listen. The error is that of a file that cannot be read at all.
func Examine(ctx context.Context, name string) (Examination, error) {
	found := Examination{File: name, Problems: []relayfile.Problem{}, Warnings: []relayfile.Problem{}}
	f, err := relayfile.Read(ctx, name)
	if wrong, ok := errors.AsType[*relayfile.Problems](err); ok {
		found.Problems, found.Warnings = append(found.Problems, wrong.List...), append(found.Warnings, wrong.Warnings...)
		return found, nil
	}
	if err != nil {
		return found, err
	}
	problems, warnings := named(ctx, f)
	found.Listeners, found.Clients = len(f.Listeners), len(f.Clients)
	found.Problems, found.Warnings = append(found.Problems, problems...), append(append(found.Warnings, f.Warnings...), warnings...)
	return found, nil
}

// named is what is wrong with the files that a settings file names.
func named(ctx context.Context, f *relayfile.File) (problems, warnings []relayfile.Problem) {
	if f.UsersFile != "" {
		entries, unwise, err := users.List(ctx, f.UsersFile)
		if err != nil {
			problems = append(problems, relayfile.Problem{Key: "users_file", Value: f.UsersFile, Reason: err.Error()})
		} else {
			warnings = append(warnings, missing(f, entries)...)
		}
		for _, p := range unwise {
			warnings = append(warnings, relayfile.Problem{Key: "users_file", Value: f.UsersFile, Reason: p.String()})
		}
	}
	for i, l := range f.Listeners {
		if l.Certificate == "" {
			continue
		}
		key := fmt.Sprintf("listeners[%d].certificate", i)
		_, err := certificate.Open(ctx, certificate.Options{File: l.Certificate, Key: l.Key, Warn: func(err error) {
			warnings = append(warnings, relayfile.Problem{Line: l.Line, Key: key, Value: l.Certificate, Reason: err.Error()})
		}})
		if err != nil {
			problems = append(problems, relayfile.Problem{Line: l.Line, Key: key, Value: l.Certificate, Reason: err.Error()})
		}
	}
	return problems, warnings
}

// missing are clients whose user the users file does not have.
func missing(f *relayfile.File, entries []users.Entry) (warnings []relayfile.Problem) {
	known := map[string]bool{}
	for _, e := range entries {
		known[strings.ToLower(e.Name)] = true
	}
	for i, c := range f.Clients {
		if c.User != "" && !known[strings.ToLower(c.User)] {
			warnings = append(warnings, relayfile.Problem{Line: c.Line, Key: fmt.Sprintf("clients[%d].user", i), Value: c.User,
				Reason: "is not in the users file, and cannot sign in until it is"})
		}
	}
	return warnings
}
