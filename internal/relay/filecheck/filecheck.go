// Package filecheck says what keeps a relay from starting with a settings file, and what
// is unwise: the file itself, the users file and the certificates that it names. It may
// be used concurrently.
package filecheck

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/users"
)

// Result is what is wrong with a settings file, and with what it names.
type Result struct {
	File      string              `json:"file"`
	Listeners int                 `json:"listeners"` // 0 when the file does not hold
	Clients   int                 `json:"clients"`
	Problems  []relayfile.Problem `json:"problems"` // that keep a relay from starting
	Warnings  []relayfile.Problem `json:"warnings"`
}

// Examine reads a settings file, and the users file and the certificates that it names.
// Nothing is opened to listen. The error is that of a file that cannot be read at all.
func Examine(ctx context.Context, name string) (Result, error) {
	found := Result{File: name, Problems: []relayfile.Problem{}, Warnings: []relayfile.Problem{}}
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
			problems = append(problems, relayfile.Problem{Line: f.LineOf(usersKey), Key: usersKey, Value: f.UsersFile, Reason: err.Error()})
		} else {
			warnings = append(warnings, missing(f, entries)...)
		}
		for _, p := range unwise {
			warnings = append(warnings, relayfile.Problem{Line: f.LineOf(usersKey), Key: usersKey, Value: f.UsersFile, Reason: p.String()})
		}
	}
	for i, l := range f.Listeners {
		if l.Certificate == "" {
			continue
		}
		key := fmt.Sprintf("listeners[%d].certificate", i)
		about := func(reason string) relayfile.Problem {
			return relayfile.Problem{Line: f.LineOf(key), Key: key, Value: l.Certificate, Reason: reason}
		}
		c, err := certificate.Open(ctx, certificate.Options{File: l.Certificate, Key: l.Key, Warn: func(err error) {
			warnings = append(warnings, about(err.Error()))
		}})
		if err != nil {
			problems = append(problems, about(err.Error()))
			continue
		}
		if f.Hostname != "" && c.Leaf().VerifyHostname(f.Hostname) != nil {
			warnings = append(warnings, about(fmt.Sprintf("is not for %s (hostname) but for %s: programs that check the certificate must connect by a name that it has", f.Hostname, namesIn(c.Leaf()))))
		}
	}
	return problems, warnings
}

// usersKey is the key of the users file.
const usersKey = "users_file"

// namesIn are the first names of a certificate, for people.
func namesIn(leaf *x509.Certificate) string {
	names := slices.Clone(leaf.DNSNames)
	for _, a := range leaf.IPAddresses {
		names = append(names, a.String())
	}
	switch {
	case len(names) == 0:
		return "no name (it has no subjectAltName)"
	case len(names) > shownNames:
		names = append(names[:shownNames], "...")
	}
	return strings.Join(names, ", ")
}

// shownNames is how many names of a certificate are shown.
const shownNames = 3

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
