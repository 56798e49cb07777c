package notice

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxEnds is how many ends of one thing are remembered: an outbox may be used with several
// settings that call different things alike.
const maxEnds = 8

// told is an end, and the last step before it that was told.
type told struct {
	ends int64 // in milliseconds
	step int
}

// steps are those of one thing, the newest last.
type steps []told

// readSteps reads what String has written. What is not readable is forgotten.
func readSteps(text string) (s steps) {
	in := strings.NewReader(text)
	for {
		var t told
		if _, err := fmt.Fscan(in, &t.ends, &t.step); err != nil {
			return s
		}
		s = append(s, t)
	}
}

// String is for readSteps.
func (s steps) String() string {
	var list []string
	for _, t := range s {
		list = append(list, fmt.Sprint(t.ends, " ", t.step))
	}
	return strings.Join(list, " ")
}

// told reports that this step before this end, or a later one, was told.
func (s steps) told(ends time.Time, step int) bool {
	return slices.ContainsFunc(s, func(t told) bool { return t.ends == ends.UnixMilli() && t.step <= step })
}

// with are the steps with one more.
func (s steps) with(ends time.Time, step int) steps {
	s = slices.DeleteFunc(slices.Clone(s), func(t told) bool { return t.ends == ends.UnixMilli() })
	s = append(s, told{ends.UnixMilli(), step})
	return s[max(0, len(s)-maxEnds):]
}
