package stricttemplate

import (
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"reflect"
	"strings"

	"github.com/smtpsend/smtpsend/internal/datavalue"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// argument hands on a value of which a text is made, when it has one. Go would make
// "<nil>" and "map[a:1]" of the others.
func (m *meter) argument(at int, v reflect.Value) (reflect.Value, error) {
	if s := datavalue.Inside(v); !datavalue.IsText(s) {
		return v, m.noText(at, s)
	}
	return v, nil
}

// noText says what a value is that has no text.
func (m *meter) noText(at int, v reflect.Value) *unfit {
	p := m.places[at]
	switch v.Kind() {
	case reflect.Invalid:
		return &unfit{place: p, missing: true}
	case reflect.Slice, reflect.Array:
		return &unfit{place: p, reason: `is a list, not text: {{range}} writes one item after another, {{join ", " LIST}} all of them`}
	case reflect.Map:
		return &unfit{place: p, reason: "is a group of values, not text: name one of them"}
	}
	return &unfit{place: p, reason: "is " + datavalue.Describe(v) + ", not text"}
}

// action is what an action of HTML writes. What Go's escaping makes of a value depends
// on where it is written, so it is compared with what comes out.
type action struct {
	open  bool // shown has seen a value, and it is not written yet
	place place
	text  string // of the value
	meant bool   // it went through url
	unfit *unfit // the value has none, and one was asked for
	tail  string // the last octets that were written before
}

// shown is argument for what is written into HTML; in a script a list, a group and
// null are JSON, so that they are refused only once a text is made of them. Escaping
// makes up to six octets of one, all at once.
func (m *meter) shown(at int, v reflect.Value) (reflect.Value, error) {
	octets, values := 0, 0
	s := datavalue.Inside(v)
	m.out.open, m.out.place, m.out.text, m.out.meant = true, m.places[at], "", false
	switch {
	case s.Kind() == reflect.String:
		octets = s.Len()
		m.out.text, m.out.meant = s.String(), s.Type() == reflect.TypeFor[htmltemplate.URL]()
		if n, ok := datavalue.Number(s.Interface()); ok {
			v = reflect.ValueOf(inScript(n))
		}
	case datavalue.IsText(s):
		octets = 80
		m.out.text = fmt.Sprint(s.Interface())
	default:
		octets, values = datavalue.Size(datavalue.Of(s))
		v = reflect.ValueOf(&textless{m, at, s})
	}
	if octets > limits.TemplateValue {
		return v, tooMuch(fmt.Sprintf("has a value of %d octets to write into HTML, at most %d", octets, limits.TemplateValue))
	}
	return v, m.step(values + octets/escaped)
}

// inScript is a number of data that is a number in a script of HTML, too; a json.Number
// becomes a text there.
type inScript json.Number

// String is the number as it was written.
func (n inScript) String() string { return string(n) }

// MarshalJSON writes the number.
func (n inScript) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// textless is a value that has no text, but can be JSON.
type textless struct {
	meter *meter
	at    int
	value reflect.Value
}

// String notes that a text was wanted.
func (t *textless) String() string {
	t.meter.out.unfit = t.meter.noText(t.at, t.value)
	return ""
}

// MarshalJSON writes the value.
func (t *textless) MarshalJSON() ([]byte, error) { return json.Marshal(datavalue.Of(t.value)) }

// failsafe is what html/template writes in the place of a value that could be a danger
// where it is written: a link with a scheme, a rule of CSS, the name of an attribute.
const failsafe = "ZgotmplZ"

// came looks at what is written into HTML.
func (m *meter) came(p []byte) error {
	a := &m.out
	if a.unfit != nil {
		return a.unfit
	}
	if a.open {
		a.open = false
		if reason := a.changed(string(p)); reason != "" {
			return &unfit{place: a.place, reason: reason}
		}
	}
	tail := a.tail + string(p[max(0, len(p)-longestTail):])
	a.tail = tail[max(0, len(tail)-longestTail):]
	return nil
}

// longestTail is the length of "&amp;".
const longestTail = 5

// changed says why HTML shows something else than the value.
func (a *action) changed(out string) string {
	if strings.Count(out, failsafe) > strings.Count(a.text, failsafe) {
		switch {
		case a.text == "":
			return "is empty, where the HTML has no quotes around it"
		case out != failsafe:
			return a.link()
		}
		return fmt.Sprintf("is %.60q, which HTML does not allow there: CSS accepts only single values such as a colour, and the names of tags and attributes must be in the template", a.text)
	}
	if strings.HasPrefix(a.text, `\\`) && strings.HasPrefix(out, "%5c%5c") && strings.ContainsAny(a.tail[max(0, len(a.tail)-1):], `"'(`) {
		return notLink(a.text)
	}
	if a.meant && schemeInside.Get().MatchString(a.text) && endOfScheme.Get().MatchString(a.tail) {
		return fmt.Sprintf("is the link %.60q right after other text, which would make another scheme", a.text)
	}
	if !a.place.encoded && a.isQuery(out) {
		return fmt.Sprintf("is %.60q, whose special characters would be encoded: {{url ...}} writes it as it is, {{urlquery ...}} as one value", a.text)
	}
	return ""
}

// schemeInside and endOfScheme are what two values could make a scheme of that neither
// has alone.
var (
	schemeInside = lazyregexp.New(`^[^/?#]*:`)
	endOfScheme  = lazyregexp.New(`[a-zA-Z0-9+.-]$`)
)

// link says why a link is not let through.
func (a *action) link() string {
	for link := range strings.SplitSeq(a.text, ",") { // srcset has several
		link = strings.TrimSpace(link)
		scheme := schemeOf(link)
		switch {
		case scheme == "" || scheme == "http" || scheme == "https" || scheme == "mailto":
			continue
		case forbiddenScheme(scheme, link):
			return fmt.Sprintf("is the link %.60q, and %s: is never allowed", link, scheme)
		}
		return fmt.Sprintf("is the link %.60q: a link from data must begin with http:, https: or mailto:; {{url ...}} allows %s:", link, scheme)
	}
	return fmt.Sprintf("is the link %.60q, which is not allowed: {{url ...}} allows it", a.text)
}

// isQuery reports a value at the beginning of a query or a fragment that is more than
// one value, and came out as one.
func (a *action) isQuery(out string) bool {
	signs := map[string]string{"=": "%3d", "&": "%26"}
	switch {
	case strings.HasSuffix(a.tail, "#"):
		signs["/"], signs["?"] = "%2f", "%3f"
	case !strings.HasSuffix(a.tail, "?") && !strings.HasSuffix(a.tail, "&") && !strings.HasSuffix(a.tail, "&amp;"):
		return false
	}
	for sign, code := range signs {
		if strings.Contains(a.text, sign) && strings.Count(out, code) > strings.Count(a.text, code) {
			return true
		}
	}
	return false
}
