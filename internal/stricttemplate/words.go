package stricttemplate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// inOurWords is why Go could not fill in a part, for those who wrote template or data:
// the line, the action, and no types of Go's where a value is missing.
//
// text/template has one error type for all of that, so its text is read. Only the words
// for people depend on it: that a part failed, and what is done then, does not. What is
// not recognised is said as Go says it. TestErrorsOfGoAreSaidInOurWords fails when a
// version of Go says it in another way.
func inOurWords(reason string, data values) string {
	m := executing.Get().FindStringSubmatch(reason)
	if m == nil {
		return reason
	}
	line, action, why := m[1], m[2], m[3]
	key := missingKey.Get().FindStringSubmatch(why)
	switch {
	case key != nil && simplePath.Get().MatchString(action):
		path := strings.Split(strings.TrimPrefix(strings.TrimPrefix(action, "$"), "."), ".")
		return fmt.Sprintf("line %s has no value for %q", line, strings.Join(path, ".")) + data.lacking(path)
	case key != nil:
		return fmt.Sprintf("line %s has no value for %q: %s", line, key[1], data.names())
	case partOfNothing.Get().MatchString(why):
		return fmt.Sprintf("line %s has no value for %q: what it is a part of is null or missing", line, strings.TrimPrefix(action, "."))
	case strings.HasPrefix(why, "can't evaluate field Format in"):
		return fmt.Sprintf(`line %s: {{%s}}: dates are text: {{date "02.01.2006" ...}} writes one in another form`, line, action)
	case strings.HasPrefix(why, "range can't iterate over "): // the whole text is after it
		return fmt.Sprintf("line %s: {{range %s}}: this is not a list", line, action)
	case partOfText.Get().MatchString(why):
		return fmt.Sprintf("line %s has no value for %q: what it is a part of is not a group of values", line, strings.TrimPrefix(action, "."))
	}
	return fmt.Sprintf("line %s: {{%s}}: %s", line, action, why)
}

// How text/template begins its errors, and how it says that the data lacks a name,
// that a value is nil, and that it has no parts.
var (
	executing     = lazyregexp.New(`^.*?:(\d+):\d+: executing ".*?" at <(.*)>: (?:error calling \w+: )?(.*)$`)
	missingKey    = lazyregexp.New(`^map has no entry for key "(.*)"$`)
	partOfNothing = lazyregexp.New(`^(?:nil pointer evaluating|nil data; no entry for key|index of (?:untyped nil|nil pointer))`)
	partOfText    = lazyregexp.New(`^(?:can't evaluate field|can't index item of type|cannot index slice/array with type string)`)
)

// simplePath is how a template writes a name of the data.
var simplePath = lazyregexp.New(`^\$?(?:\.[\pL_][\pL\pN_]*)+$`)

// values is the data that a template is filled in with, or a group of it.
type values struct {
	byName map[string]any
	source string // see Options.Source
}

// names says which names the data has, for those who took another.
func (v values) names() string {
	const enough = 20
	names := slices.Sorted(maps.Keys(v.byName))
	if len(names) == 0 {
		return v.source
	}
	more := ""
	if len(names) > enough {
		names, more = names[:enough], fmt.Sprintf(" and %d more", len(names)-enough)
	}
	return fmt.Sprintf("there is %q", names) + more
}
