package config

import (
	"errors"
	"fmt"
	"strings"
)

// Severity tells a problem that stops the program from one that does not.
type Severity string

// The severities of a Problem.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Problem is one thing that is wrong with the configuration. It never holds a
// value.
type Problem struct {
	Variable string   `json:"variable"`        // such as "SMTPSEND_SMTP_PORT"; "" when it is about a file
	Text     string   `json:"text"`            // a predicate of Variable, such as "is not a whole number"
	Severity Severity `json:"severity"`        // error or warning
	Source   Origin   `json:"source,omitzero"` // where the value is; zero when there is none
}

// String returns variable, text and source on one line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Variable)
	if p.Variable != "" {
		b.WriteByte(' ')
	}
	b.WriteString(p.Text)
	if where := p.Source.String(); where != "" && p.Source.Source != SourceEnvironment {
		fmt.Fprintf(&b, " (%s)", where)
	}
	return b.String()
}

// Problems is the error of Load: all that is wrong, errors and warnings, in the
// order of the table of settings.
type Problems struct{ List []Problem }

// Error returns the errors, not the warnings, one after the other.
func (p *Problems) Error() string {
	return "config: " + strings.Join(Texts(p), "; ")
}

// Errors returns the problems that stop the program.
func (p *Problems) Errors() []Problem { return p.of(SeverityError) }

// Warnings returns the other problems.
func (p *Problems) Warnings() []Problem { return p.of(SeverityWarning) }

func (p *Problems) of(s Severity) []Problem {
	var out []Problem
	for _, problem := range p.List {
		if problem.Severity == s {
			out = append(out, problem)
		}
	}
	return out
}

// Unusable is the error of settings that were read, and whose credential cannot be used for
// the reason why. Their warnings are in it.
func Unusable(c *Config, why error) *Problems {
	return &Problems{append(c.Warnings(), Problem{Variable: c.Credential.By, Text: "gives a certificate that cannot be used: " + why.Error(), Severity: SeverityError})}
}

// Texts are what an error of Load says, one text for each problem that stops the
// program; of another error they are its text.
func Texts(err error) []string {
	problems, ok := errors.AsType[*Problems](err)
	if !ok {
		return []string{err.Error()}
	}
	var texts []string
	for _, p := range problems.Errors() {
		texts = append(texts, p.String())
	}
	return texts
}

// Source is the kind of place that a value comes from.
type Source string

// The sources of a value, in falling precedence.
const (
	SourceFlag        Source = "flag"
	SourceEnvironment Source = "environment"
	SourceCredential  Source = "systemd credential" // beside the environment
	SourceEnvFile     Source = "env file"
	SourceAzure       Source = "azure environment"
	SourceSetting     Source = "setting" // derived from another setting
	SourceDefault     Source = "default"
)

// Origin is where a value comes from. The zero value stands for nowhere: the
// setting is unset.
type Origin struct {
	Source Source
	Name   string // the variable, flag, credential or cloud
	File   string // path of the env file
	Line   int    // line in it, from 1; 0 when there is none
}

// String returns the origin for people: "flag --smtp-port", "environment
// SMTPSEND_SMTP_PORT", "/etc/smtpsend/smtpsend.env:12", "default".
func (o Origin) String() string {
	switch {
	case o.Source == SourceEnvFile && o.Line == 0:
		return o.File
	case o.Source == SourceEnvFile:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	case o.Source == SourceAzure:
		return "environment " + o.Name
	case o.Name != "":
		return string(o.Source) + " " + o.Name
	}
	return string(o.Source)
}

// MarshalText returns String, for JSON.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
