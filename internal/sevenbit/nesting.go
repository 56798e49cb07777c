package sevenbit

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// noGuard means that what is read is neither signed nor encrypted; guardAll that
// the whole message is.
const (
	noGuard  = -1
	guardAll = -2
)

// nesting is what is open around a line: multiparts, and messages within the message.
type nesting struct {
	levels []level        // outermost first
	names  map[string]int // the innermost level, from 1, at which each boundary is
	guard  int            // the level with which what is signed or encrypted ends
}

func newNesting() nesting { return nesting{names: map[string]int{}, guard: noGuard} }

// level is a multipart, or a message within the message (which has no boundary of
// its own and ends with the part that it is in).
type level struct {
	boundary string
	digest   bool  // its parts are messages where nothing else is said (RFC 2046 5.1.5)
	seen     bool  // a part of it began
	label    field // its Content-Transfer-Encoding
	raw      bool  // octets above 127 are left in it
}

// boundary reports whether line is a delimiter line, and of which multipart: the
// innermost, where several would fit.
func (n *nesting) boundary(line string) (index int, closing, ok bool) {
	text := strings.TrimRight(line, " \t\r\n")[2:]
	at := n.names[text]
	if before, found := strings.CutSuffix(text, "--"); found && n.names[before] > at {
		at, closing = n.names[before], true
	}
	return at - 1, closing, at > 0
}

// push opens a level.
func (n *nesting) push(l level) error {
	n.levels = append(n.levels, l)
	if l.boundary != "" {
		n.names[l.boundary] = len(n.levels)
	}
	if len(n.levels) > limits.PartNesting {
		return refusal(-1, "", fmt.Sprintf("its parts are nested more than %d deep", limits.PartNesting))
	}
	return nil
}

// pop closes all levels but keep. It returns the labels of those in which no octet above
// 127 is left and that are not guarded, where they have one.
func (n *nesting) pop(keep int) (clean []field) {
	for i := len(n.levels) - 1; i >= keep; i-- {
		l := n.levels[i]
		hasLabel := l.label.to > l.label.from
		if hasLabel && !l.raw && !n.guarded() {
			clean = append(clean, l.label)
		}
		if i == n.guard {
			n.guard = noGuard
		}
	}
	if keep >= len(n.levels) {
		return clean
	}
	n.levels = n.levels[:keep]
	clear(n.names)
	for i, l := range n.levels {
		if l.boundary != "" {
			n.names[l.boundary] = i + 1
		}
	}
	return clean
}

func (n *nesting) guarded() bool { return n.guard != noGuard }

// protect marks all from here on to the end of a level, counted from 0, as signed
// or encrypted; the outermost one ends with the message.
func (n *nesting) protect(level int) {
	if n.guard != noGuard {
		return
	}
	if n.guard = level; level <= 0 {
		n.guard = guardAll
	}
}

// markRaw notes that octets above 127 stay in all levels.
func (n *nesting) markRaw() {
	for i := range n.levels {
		n.levels[i].raw = true
	}
}
