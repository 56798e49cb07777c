package mailtemplate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// inOurWords is why Go could not fill in a part, for who wrote template or data: the
// line, the action, and no types of Go's where a value is missing.
func inOurWords(reason string, data map[string]any) string {
	m := executing.Get().FindStringSubmatch(reason)
	if m == nil {
		return reason
	}
	line, action, why := m[1], m[2], m[3]
	key := missingKey.Get().FindStringSubmatch(why)
	switch {
	case key != nil && simplePath.Get().MatchString(action):
		path := strings.Split(strings.TrimPrefix(strings.TrimPrefix(action, "$"), "."), ".")
		return fmt.Sprintf("line %s has no value for %q", line, strings.Join(path, ".")) + lacking(data, path)
	case key != nil:
		return fmt.Sprintf("line %s has no value for %q: %s", line, key[1], given(data))
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

// given says which names the data has, for who took another.
func given(data map[string]any) string {
	const enough = 20
	names := slices.Sorted(maps.Keys(data))
	if len(names) == 0 {
		return "--data and --set give values, in batch the columns"
	}
	more := ""
	if len(names) > enough {
		names, more = names[:enough], fmt.Sprintf(" and %d more", len(names)-enough)
	}
	return fmt.Sprintf("there is %q", names) + more
}
