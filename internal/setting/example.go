package setting

import (
	"fmt"
	"strings"
)

// exampleWidth is the width of the comments in the example file, in octets.
const exampleWidth = 96

// Example returns an env file with every setting: its comment, enaio's name for
// it and a line to fill in. What must be filled in is there empty, which counts as
// unset; everything else is commented out and shows the default, or
// an example where there is none.
func Example() string {
	var b strings.Builder
	b.WriteString("# Settings of smtpsend. KEY=VALUE lines; # begins a comment, also after a blank; quote a value\n" +
		"# that has blanks. Let no one else read this file: chmod 600. \"enaio\" names the\n" +
		"# registry entry and the key below featureSwitches.sendEmail in osweb-prod.yml.\n")
	group := ""
	for _, s := range table() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n# ---- %s ----\n", group)
		}
		b.WriteByte('\n')
		for _, line := range wrap(s.Comment, exampleWidth-len("# ")) {
			b.WriteString("# " + line + "\n")
		}
		b.WriteString(s.exampleNotes() + s.exampleLine() + "\n")
	}
	return b.String()
}

// exampleNotes returns the comment lines after the description.
func (s Setting) exampleNotes() string {
	var b strings.Builder
	if names := s.EnaioNames(); len(names) > 0 {
		fmt.Fprintf(&b, "# enaio: %s\n", strings.Join(names, ", "))
	}
	if strings.HasPrefix(s.Default, "(") {
		fmt.Fprintf(&b, "# Default: %s\n", strings.Trim(s.Default, "()"))
	}
	if s.Required {
		fmt.Fprintf(&b, "# Example: %s\n", s.Example)
	}
	return b.String()
}

func (s Setting) exampleLine() string {
	value := s.Default
	switch {
	case s.Required, s.Name == ClientSecret: // the usual credential
		return s.Variable() + "="
	case value == "" || strings.HasPrefix(value, "("):
		value = s.Example
	}
	return "#" + s.Variable() + "=" + value
}

// wrap breaks text at blanks into lines of at most width octets, longer words
// excepted.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
