package config

import (
	"maps"
	"slices"
	"strings"
)

// knownNames returns every name behind the prefix that something reads.
func knownNames() []string {
	names := []string{variableEnvFile}
	for _, s := range table() {
		names = append(names, s.Name)
		if s.Secret {
			names = append(names, s.Name+"_FILE", s.Name+"_COMMAND")
		}
	}
	return names
}

// checkNames warns of names that nothing reads, and refuses flags that cannot
// be: a secret on the command line is seen by every user of the machine.
func (l *loader) checkNames() {
	known := knownNames()
	for _, layer := range l.layers {
		for _, name := range slices.Sorted(maps.Keys(layer.values)) {
			e := layer.values[name]
			_, setting := settingNamed(name)
			switch {
			case layer.source == SourceFlag && (!setting || isSecretWay(name, "") || name == notifyCommand):
				delete(layer.values, name)
				l.nameProblem(Prefix+name, SeverityError, "cannot be given as a flag", e.origin)
			case layer.source == SourceEnvFile && name == variableEnvFile:
				l.nameProblem(Prefix+name, SeverityWarning, "has no effect in an env file", e.origin)
			case !slices.Contains(known, name):
				l.nameProblem(Prefix+name, SeverityWarning, unknownText(name), e.origin)
			}
		}
	}
}

func (l *loader) nameProblem(variable string, severity Severity, text string, origin Origin) {
	l.problems = append(l.problems, Problem{Variable: variable, Text: text, Severity: severity, Source: origin})
}

func unknownText(name string) string {
	if near := nearest(name); near != "" {
		return "is not a setting: is " + Prefix + near + " meant?"
	}
	return "is not a setting"
}

// foreignName warns of a name in the env file that is nearly one of ours. Other
// names are left alone, since the file may be shared with another program.
func (l *loader) foreignName(name string, origin Origin) {
	upper := strings.ToUpper(name)
	short, prefixed := strings.CutPrefix(upper, Prefix)
	i := strings.IndexByte(upper, '_')
	switch {
	case !prefixed && slices.Contains(knownNames(), upper):
		short = upper
	case !prefixed && i > 0 && distance(upper[:i+1], Prefix) <= 2:
		short = upper[i+1:]
	case !prefixed:
		return
	}
	if near := nearest(short); near != "" {
		l.nameProblem(name, SeverityWarning, "is not read: is "+Prefix+near+" meant?", origin)
	}
}

// nearest returns the name of a setting that is most like name.
func nearest(name string) string {
	return Nearest(strings.ToUpper(name), knownNames())
}

// Nearest returns the known word that is most like word, "" when none is: one
// letter in four may differ.
func Nearest(word string, known []string) string {
	best, bestDistance := "", len(word)/4+2
	for _, k := range known {
		if d := distance(word, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
