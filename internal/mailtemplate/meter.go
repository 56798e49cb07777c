package mailtemplate

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/template"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// meter counts what a template does while one message is filled in, and stops it:
// a message has up to a thousand parts. What it counts depends on template and data
// alone.
type meter struct {
	ctx    context.Context // of the filling that is under way
	steps  int
	made   int // octets that functions made
	fields int // octets of all parts that are not bodies
	bodies int // octets of these
	calls  int // templates that are being executed
}

// tooMuch is why a part cannot be filled in.
type tooMuch string

func (e tooMuch) Error() string { return string(e) }

// start starts a message.
func (m *meter) start(ctx context.Context) { *m = meter{ctx: ctx} }

// begin starts a part whose actions outside of loops are n.
func (m *meter) begin(n int) error {
	m.calls = 0
	return m.step(n)
}

// How many octets are looked at, or escaped, in about the time of a step.
const (
	work    = 4 << 10
	escaped = 128
)

// step counts n steps.
func (m *meter) step(n int) error {
	before := m.steps >> 10
	if m.steps += n; m.steps > limits.TemplateSteps {
		return tooMuch(fmt.Sprintf("needs more than %d steps", limits.TemplateSteps))
	}
	if m.steps>>10 != before && m.ctx.Err() != nil {
		return context.Cause(m.ctx)
	}
	return nil
}

// field counts n octets of a part that is not a body.
func (m *meter) field(n int) error {
	if m.fields += n; m.fields > limits.TemplateFields {
		return tooMuch(fmt.Sprintf("all fields together have more than %d octets", limits.TemplateFields))
	}
	return nil
}

// body counts n octets of a body.
func (m *meter) body(n int) error {
	if m.bodies += n; m.bodies > limits.TemplateResult {
		return tooMuch(fmt.Sprintf("the result has more than %d octets", limits.TemplateResult))
	}
	return nil
}

// make counts n octets that a function is about to make.
func (m *meter) make(n int) error {
	if m.made += n; n > limits.TemplateText || m.made > limits.TemplateText {
		return tooMuch(fmt.Sprintf("makes more than %d octets with functions such as printf", limits.TemplateText))
	}
	return m.step(n / work)
}

// functions are those that a template may use beside Go's, or in the place of
// Go's, bound to m.
func (m *meter) functions() map[string]any {
	return map[string]any{
		"address": m.address, "printf": m.printf,
		"print":    m.maker(1, fmt.Sprint),
		"println":  m.maker(1, fmt.Sprintln),
		"html":     m.maker(6, template.HTMLEscaper),
		"js":       m.maker(6, template.JSEscaper),
		"urlquery": m.maker(3, template.URLQueryEscaper),
	}
}

// hidden are the functions that instrument puts into a template.
func (m *meter) hidden() map[string]any {
	return map[string]any{
		stepFunc: func(n int) (bool, error) { return true, m.step(n) },
		enterFunc: func(n int) (bool, error) {
			if m.calls++; m.calls > limits.TemplateCalls {
				return false, tooMuch(fmt.Sprintf("has more than %d templates that call each other", limits.TemplateCalls))
			}
			return true, m.step(n + 1)
		},
		leaveFunc:  func(int) bool { m.calls--; return true },
		weighFunc:  m.weigh,
		givenFunc:  m.given,
		shownFunc:  m.shown,
		rangedFunc: m.ranged,
	}
}

// weigh hands v on, and counts the work of looking at it.
func (m *meter) weigh(v reflect.Value) (reflect.Value, error) {
	s := inside(v)
	if s.Kind() == reflect.String {
		return v, m.step(s.Len() / work)
	}
	return v, nil
}

// given is weigh for what a method is given, such as the layout of a time.
func (m *meter) given(v reflect.Value) (reflect.Value, error) {
	if s := inside(v); s.Kind() == reflect.String {
		return v, m.make(3 * s.Len())
	}
	return v, nil
}

// shown is weigh for what is written into HTML. Escaping makes up to six octets of
// one, all at once.
func (m *meter) shown(v reflect.Value) (reflect.Value, error) {
	octets, values := 0, 0
	switch s := inside(v); s.Kind() {
	case reflect.String:
		octets = s.Len()
	case reflect.Map, reflect.Slice:
		octets, values = size(s.Interface())
	}
	if octets > limits.TemplateValue {
		return v, tooMuch(fmt.Sprintf("has a value of %d octets to write into HTML, at most %d", octets, limits.TemplateValue))
	}
	return v, m.step(values + octets/escaped)
}

// ranged hands v on, and counts what it costs to sort the names of a map.
func (m *meter) ranged(v reflect.Value) (reflect.Value, error) {
	if s := inside(v); s.Kind() == reflect.Map { // sorting grows faster than the map
		return v, m.step(4 * s.Len())
	}
	return v, nil
}

func inside(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// maker is a function that makes a text of all its arguments, and at most times
// octets of each of theirs.
func (m *meter) maker(times int, f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		n := len(args) + 1
		for _, arg := range args {
			octets, _ := size(arg)
			n += octets
		}
		if err := m.make(n * times); err != nil {
			return "", err
		}
		return f(args...), nil
	}
}

// printf is Go's, but what Go writes for a verb that does not fit its argument or
// is too wide, "%!d(string=x)", is an error: it must not go out in a mail. Where
// format or arguments have a "%" of their own, it may be their text.
func (m *meter) printf(format string, args ...any) (string, error) {
	if err := m.make(formatted(format, args)); err != nil {
		return "", err
	}
	text := fmt.Sprintf(format, args...)
	bad := misprinted().FindString(text)
	if bad == "" || strings.Contains(format, "%%") || strings.Contains(fmt.Sprint(args...), "%") {
		return text, nil
	}
	return "", fmt.Errorf("%.100q gives %q: a verb does not fit its argument, or is too wide", format, bad)
}

// misprinted is how fmt tells of a mistake.
var misprinted = lazyregexp.New(`%!.?\([^()]{0,40}`)

// address makes one address of a name and an addr-spec, whatever commas the name
// holds.
func (m *meter) address(name, addr any) (string, error) {
	text, err := m.text(addr)
	if err != nil {
		return "", err
	}
	a, err := message.ParseAddress("address", text)
	if err != nil {
		return "", err
	}
	if text, err = m.text(name); err != nil {
		return "", err
	}
	a.Name = mimetext.CleanName(text)
	return a.String(), nil
}

// text is a value as it is printed.
func (m *meter) text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, m.make(len(s))
	}
	return m.maker(1, fmt.Sprint)(v)
}

// size is about how many octets a value is when it is printed, at least as many
// as texts in it have, and how many values are in it.
func size(v any) (octets, values int) {
	switch v := v.(type) {
	case string:
		return len(v), 1
	case json.Number:
		return len(v), 1
	case map[string]any:
		for name, value := range v {
			o, n := size(value)
			octets, values = octets+o+len(name)+2, values+n+1
		}
		return octets + 5, values + 1
	case []any:
		for _, value := range v {
			o, n := size(value)
			octets, values = octets+o+1, values+n
		}
		return octets + 2, values + 1
	}
	return 80, 1 // a number, a time
}

// formatted is how many octets fmt.Sprintf makes at most.
func formatted(format string, args []any) int {
	n, next, most := len(format), 0, 0
	for _, arg := range args {
		octets, _ := size(arg)
		n, most = n+octets+20, max(most, octets) // one that no verb takes is printed, too
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		v := readVerb(format[i+1:], args, &next)
		i += v.length
		var octets, values int
		if v.arg >= 0 && v.arg < len(args) {
			octets, values = size(args[v.arg])
		}
		if !v.plain {
			octets = 10*octets + 400
		}
		n += octets + 40 + max(1, values)*v.room
	}
	return n
}

// verb is one verb of a format.
type verb struct {
	length int  // of it behind the %
	arg    int  // the argument that it prints
	room   int  // its width and precision
	plain  bool // it prints an argument as it is
}

// maxWidth is the largest width and precision that fmt takes.
const maxWidth = 1_000_000

// widthOf is the width that an argument gives to a verb with a star, at most.
func widthOf(arg any) int {
	if n, ok := arg.(int); ok {
		return min(max(n, -n), maxWidth)
	}
	if v := reflect.ValueOf(arg); v.CanInt() || v.CanUint() {
		return maxWidth
	}
	return 0
}

// readVerb reads a verb as fmt does. next is the argument that is next.
func readVerb(s string, args []any, next *int) (v verb) {
	v.plain = true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '*':
			if *next < len(args) {
				v.room += widthOf(args[*next])
			}
			*next++
		case c == '[':
			digits := 0
			for i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && digits < 6 {
				i, digits = i+1, digits+1
			}
			n, err := strconv.Atoi(s[i-digits+1 : i+1])
			if err == nil && n > 0 {
				*next = n - 1
			}
		case c >= '0' && c <= '9':
			from := i
			for i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
				i++
			}
			n, err := strconv.Atoi(s[from : i+1])
			if err != nil {
				n = maxWidth
			}
			v.room += min(n, maxWidth)
		case c == '.' || c == ']':
		case c == '+' || c == '-' || c == '#' || c == ' ':
			v.plain = v.plain && c == '-'
		default:
			if v.length = i + 1; c == '%' {
				v.arg = -1
				return v
			}
			v.arg = *next
			v.plain = v.plain && (c == 's' || c == 'v' || c == 'd')
			*next++
			return v
		}
	}
	v.length, v.arg = len(s), *next
	return v
}
