package stricttemplate

import (
	"fmt"
	htmltemplate "html/template"
	"maps"
	"reflect"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/smtpsend/smtpsend/internal/datavalue"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// functions are those that a template may use beside Go's, or instead of
// Go's, bound to m. What they make a text of is handed to argument before.
func (m *meter) functions() map[string]any {
	all := map[string]any{
		"printf": m.printf, "url": m.url, "join": m.join, "date": m.date, "number": datavalue.ParseNumber,
		"print":    m.maker(1, fmt.Sprint),
		"println":  m.maker(1, fmt.Sprintln),
		"html":     m.maker(6, template.HTMLEscaper),
		"js":       m.maker(6, template.JSEscaper),
		"urlquery": m.maker(3, template.URLQueryEscaper),
	}
	maps.Copy(all, datavalue.Comparisons())
	for name, f := range m.options.Functions {
		all[name] = m.ofTexts(f)
	}
	return all
}

// maker is a function that makes a text of all its arguments, and at most times
// octets of each of theirs.
func (m *meter) maker(times int, f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		n := len(args) + 1
		for _, arg := range args {
			if arg == nil {
				return "", datavalue.ErrNil
			}
			octets, _ := datavalue.Size(arg)
			n += octets
		}
		if err := m.make(n * times); err != nil {
			return "", err
		}
		return f(args...), nil
	}
}

// text is a value as it is printed.
func (m *meter) text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, m.make(len(s))
	}
	return m.maker(1, fmt.Sprint)(v)
}

// ofTexts is a function that gets its arguments as they are printed.
func (m *meter) ofTexts(f func(a, b string) (string, error)) func(a, b any) (string, error) {
	return func(a, b any) (string, error) {
		first, err := m.text(a)
		if err != nil {
			return "", err
		}
		second, err := m.text(b)
		if err != nil {
			return "", err
		}
		return f(first, second)
	}
}

// join writes the items of a list with a text between them.
func (m *meter) join(between string, list reflect.Value) (string, error) {
	list = datavalue.Inside(list)
	isList := list.Kind() == reflect.Slice || list.Kind() == reflect.Array
	if !isList || datavalue.IsText(list) {
		return "", fmt.Errorf("%s is not a list", datavalue.Describe(list))
	}
	var b strings.Builder
	for i := range list.Len() {
		item := datavalue.Inside(list.Index(i))
		if !datavalue.IsText(item) {
			return "", fmt.Errorf("item %d is %s, not text", i+1, datavalue.Describe(item))
		}
		text, err := m.text(item.Interface())
		if err == nil {
			err = m.make(len(between) + 1)
		}
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// printf is fmt's; see datavalue.Sprintf.
func (m *meter) printf(format string, args ...any) (string, error) {
	if err := m.make(datavalue.SprintfSize(format, args)); err != nil {
		return "", err
	}
	return datavalue.Sprintf(format, args)
}

// date writes a time of the data, as Options.ParseTime reads it, in a layout of Go's. A
// layout of another program would be written as it is.
func (m *meter) date(layout string, v any) (string, error) {
	if err := m.make(8 * len(layout)); err != nil {
		return "", err
	}
	if wrong := otherLayout.Get().FindString(layout); wrong != "" {
		return "", fmt.Errorf(`the layout %.40q has %q: write it as 2 January 2006, 15:04:05 would look, such as "02.01.2006"`, layout, wrong)
	}
	at, ok := v.(time.Time)
	if !ok {
		text, err := m.text(v)
		if err != nil {
			return "", err
		}
		if at, err = m.options.ParseTime(strings.TrimSpace(text)); err != nil {
			return "", err
		}
	}
	return at.Format(layout), nil
}

// otherLayout is how others write a layout.
var otherLayout = lazyregexp.New(`%[a-zA-Z]|\b(?:YYYY|YY|yyyy|yy|MMMM|MMM|MM|DD|D|dddd|ddd|dd|HH|hh|mm|ss)\b`)

// url is a link, or the query of one, that is meant: HTML lets every scheme through,
// and the & and = of a query. No mail has a use for what would run.
func (m *meter) url(v any) (htmltemplate.URL, error) {
	text, err := m.text(v)
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", fmt.Errorf("the link %.60q has a control character", text)
	}
	if scheme := schemeOf(text); forbiddenScheme(scheme, text) {
		return "", fmt.Errorf("the link %.60q begins with %s:, which is never allowed", text, scheme)
	}
	if strings.HasPrefix(text, `\\`) || drive.Get().MatchString(text) {
		return "", fmt.Errorf("the value %s", notLink(text))
	}
	return htmltemplate.URL(text), nil
}

func notLink(path string) string {
	return fmt.Sprintf("is %.60q, a path and not a link, such as file://server/share/report.pdf or file:///C:/report.pdf", path)
}

// drive is how a path of Windows begins.
var drive = lazyregexp.New(`^[a-zA-Z]:(?:\\|$)`)

// schemeOf is the scheme of a link (RFC 3986 3.1) in lower case, "" for none.
func schemeOf(link string) string {
	return strings.ToLower(strings.TrimSuffix(scheme.Get().FindString(link), ":"))
}

var scheme = lazyregexp.New(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)

// forbiddenScheme reports what a program for mail could run: scripts, and data that is
// no plain image.
func forbiddenScheme(scheme, link string) bool {
	switch scheme {
	case "javascript", "vbscript", "jscript", "livescript", "mocha":
		return true
	case "data":
		return !plainImage.Get().MatchString(link)
	}
	return false
}

// plainImage is an image in a link, but for SVG, which is a document with scripts.
var plainImage = lazyregexp.New(`(?i)^data:image/(?:png|gif|jpe?g|webp|bmp|avif)[;,]`)
