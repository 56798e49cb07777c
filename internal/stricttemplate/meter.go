package stricttemplate

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/smtpsend/smtpsend/internal/datavalue"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// meter counts what a template does while it is filled in once, and stops it: a set
// has up to a thousand parts. What it counts depends on template and data alone.
type meter struct {
	ctx    context.Context // of the filling that is under way
	steps  int
	made   int // octets that functions made
	fields int // octets of all parts that are not bodies
	bodies int // octets of these
	calls  int // templates that are being executed

	options *Options
	places  []place // of the template
	out     action  // of the part that is being filled in
}

// tooMuch is why a part cannot be filled in.
type tooMuch string

func (e tooMuch) Error() string { return string(e) }

// start starts a filling.
func (m *meter) start(ctx context.Context) {
	*m = meter{ctx: ctx, options: m.options, places: m.places}
}

// begin starts a part whose actions outside of loops are n.
func (m *meter) begin(n int) error {
	m.calls, m.out = 0, action{}
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
		leaveFunc:    func(int) bool { m.calls--; return true },
		weighFunc:    m.weigh,
		indexFunc:    func(v reflect.Value) (reflect.Value, error) { return m.weigh(datavalue.Int(v)) },
		givenFunc:    m.given,
		argumentFunc: m.argument,
		writtenFunc:  m.argument,
		shownFunc:    m.shown,
		rangedFunc:   m.ranged,
		truthFunc:    m.truth,
		verbatimFunc: asHTML,
	}
}

// weigh hands v on, and counts the work of looking at it.
func (m *meter) weigh(v reflect.Value) (reflect.Value, error) {
	s := datavalue.Inside(v)
	if s.Kind() == reflect.String {
		return v, m.step(s.Len() / work)
	}
	return v, nil
}

// given is weigh for what a method is given, such as the layout of a time.
func (m *meter) given(v reflect.Value) (reflect.Value, error) {
	if s := datavalue.Inside(v); s.Kind() == reflect.String {
		return v, m.make(3 * s.Len())
	}
	return v, nil
}

// ranged hands v on, and counts what it costs to sort the names of a map.
func (m *meter) ranged(v reflect.Value) (reflect.Value, error) {
	if s := datavalue.Inside(v); s.Kind() == reflect.Map { // sorting grows faster than the map
		return v, m.step(4 * s.Len())
	}
	return datavalue.Int(v), nil
}

// truth hands on what an if, an and ... looks at. Zero is nothing.
func (m *meter) truth(v reflect.Value) (reflect.Value, error) {
	n, ok := datavalue.Of(datavalue.Inside(v)).(json.Number)
	if !ok {
		return v, nil
	}
	if z, is := datavalue.ZeroOf(n); is {
		v = reflect.ValueOf(z)
	}
	return v, m.step(len(n) / work)
}
