package smtpserver

import (
	"math/bits"
	"strings"
)

// Quirks are what a client did that RFC 5321 does not let it do. What is marked with
// T is refused unless Options.Tolerant is set.
type Quirks uint16

// The quirks.
const (
	QuirkLowerCase  Quirks = 1 << iota // a verb that is not in capitals, which RFC 5321 2.4 lets through
	QuirkBareLF                        // a command or a line of content that ends with LF alone (Options.LineEnds)
	QuirkPipelined                     // a command sent before the reply to the last one; only one that was not offered is a quirk
	QuirkNoQuit                        // closed without QUIT
	QuirkPathBlanks                    // blanks between the colon and the path; T: within its brackets
	QuirkNoBrackets                    // T: a path without brackets
	QuirkHelloName                     // T: HELO or EHLO without a name, or with blanks in it
	QuirkSize                          // T: a SIZE that is not a number, which is ignored
	QuirkAuthAgain                     // T: AUTH in a session that is authenticated
	QuirkMailAgain                     // T: MAIL without RSET after another, which it replaces
	QuirkUnpadded                      // T: base64 without its padding, or with blanks around it
	QuirkAuthLogin                     // AUTH LOGIN with the name in the command
	QuirkNoHello                       // T: MAIL, AUTH or STARTTLS without HELO or EHLO before it
	QuirkTabs                          // T: a tab where a blank belongs
	QuirkSemicolon                     // T: a semicolon after the path
)

var quirkNames = [...]string{
	"lower-case", "bare-lf", "pipelined", "no-quit", "path-blanks", "no-brackets", "hello-name", "size", "auth-again", "mail-again", "unpadded-base64", "auth-login-name",
	"no-hello", "tabs", "semicolon",
}

// Names are the quirks by name, in the order above.
func (q Quirks) Names() []string {
	names := make([]string, 0, bits.OnesCount16(uint16(q)))
	for i, name := range quirkNames {
		if q&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String has the names with commas.
func (q Quirks) String() string { return strings.Join(q.Names(), ",") }

// grammar reads what a client says, and notes its quirks.
type grammar struct {
	tolerant bool
	quirks   Quirks
}

// allow reports whether a quirk that is refused elsewhere is let through, and notes
// it then.
func (g *grammar) allow(q Quirks) bool {
	if g.tolerant {
		g.quirks |= q
	}
	return g.tolerant
}
