// Package datavalue is about the values of data that a template writes: what each is
// called, which of them has a text, how they are compared and printed.
//
// Values are text, numbers, true and false, nil, lists ([]any) and groups of values
// (map[string]any), the same from JSON and from YAML. A number is a json.Number, which
// is printed as it was written. Text is never taken for a number, nor a number for
// text, unless the template says so.
package datavalue

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// numeral is how JSON writes a number.
var numeral = lazyregexp.New(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)

// IsNumeral reports whether text is a number as JSON writes one.
func IsNumeral(text string) bool { return numeral.Get().MatchString(text) }

// Zero is a number that is nothing for if, with, range, and, or and not, as Go's own
// numbers are; a json.Number is a text for them, and "0" one with something in it.
// It is an empty slice, which is nothing for them, too, and has its text after its
// end, so that {{or .a .b}} still prints it as it was written.
type Zero []string

// ZeroOf returns n as a Zero when it is one.
func ZeroOf(n json.Number) (Zero, bool) {
	mantissa, _, _ := strings.Cut(strings.ToLower(string(n)), "e")
	if strings.Trim(mantissa, "-0.") != "" {
		return nil, false
	}
	return Zero{string(n)}[:0], true
}

// String is the number as it was written.
func (z Zero) String() string {
	if cap(z) == 0 {
		return "0"
	}
	return z[:1][0]
}

// MarshalJSON writes the number.
func (z Zero) MarshalJSON() ([]byte, error) { return json.Marshal(json.Number(z.String())) }

// Bool is true or false of YAML, which is printed as it was written: yes, written as
// "true", "True" or "TRUE". In an if it is what it means.
func Bool(yes bool, written string) any {
	switch written {
	case "true", "false":
		return yes
	case strings.ToUpper(written):
		return upper(yes)
	}
	return titled(yes)
}

// titled and upper are true and false of YAML that are printed as they were written:
// True and TRUE. In an if they are what they mean.
type (
	titled bool
	upper  bool
)

// String is True or False.
func (b titled) String() string {
	if b {
		return "True"
	}
	return "False"
}

// String is TRUE or FALSE.
func (b upper) String() string { return strings.ToUpper(strconv.FormatBool(bool(b))) }

// Number returns v when it is a number of data.
func Number(v any) (json.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return v, true
	case Zero:
		return json.Number(v.String()), true
	}
	return "", false
}

// A number that is computed with has at most so many characters, and an exponent of
// at most so much, so that none takes time or memory to speak of.
const (
	longestNumber   = 100
	largestExponent = 400
)

// isModest reports a number that can be computed with.
func isModest(n json.Number) bool {
	if len(n) > longestNumber {
		return false
	}
	_, exponent, _ := strings.Cut(strings.ToLower(string(n)), "e")
	if exponent == "" {
		return true
	}
	e, err := strconv.Atoi(exponent)
	return err == nil && max(e, -e) <= largestExponent
}

// exact is the value of a number of data or of the template. 0.1 is a tenth in both.
func exact(v reflect.Value) (*big.Rat, bool) {
	if !v.IsValid() {
		return nil, false
	}
	n, ok := Number(v.Interface())
	switch {
	case ok && !isModest(n):
		return nil, false
	case ok:
	case v.CanInt():
		n = json.Number(strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		n = json.Number(strconv.FormatUint(v.Uint(), 10))
	case v.CanFloat():
		n = json.Number(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	default:
		return nil, false
	}
	return new(big.Rat).SetString(string(n))
}

// Int hands on an integer of data as Go's int, which range, index and slice take, and
// any other value as it is.
func Int(v reflect.Value) reflect.Value {
	s := Inside(v)
	if !s.IsValid() {
		return v
	}
	if n, ok := Number(s.Interface()); ok && len(n) <= longestNumber {
		if i, err := strconv.Atoi(string(n)); err == nil {
			return reflect.ValueOf(i)
		}
	}
	return v
}

// IsText reports whether a value is printed as one text: it is not a list, not a group
// and not nil.
func IsText(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Bool:
		return true
	case reflect.Slice:
		return v.Type() == reflect.TypeFor[Zero]()
	}
	return v.CanInt() || v.CanUint() || v.CanFloat()
}

// Describe says what a value is, for those who wrote the data.
func Describe(v reflect.Value) string {
	if v = Inside(v); !v.IsValid() {
		return "nothing"
	}
	if n, ok := Number(v.Interface()); ok {
		return fmt.Sprintf("the number %.40s", n)
	}
	switch v.Kind() {
	case reflect.String:
		return fmt.Sprintf("the text %.40q", v.String())
	case reflect.Bool:
		return fmt.Sprintf("%v, which is true or false", v)
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map:
		return "a group of values"
	}
	if _, ok := exact(v); ok {
		return fmt.Sprintf("the number %v", v)
	}
	return "a " + v.Type().String()
}

// Inside is v without the interfaces around it.
func Inside(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// Of is what v holds, nil when it holds nothing.
func Of(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	return v.Interface()
}

// Size is about how many octets a value is when it is printed, at least as many
// as texts in it have, and how many values are in it.
func Size(v any) (octets, values int) {
	switch v := v.(type) {
	case string:
		return len(v), 1
	case json.Number:
		return len(v), 1
	case map[string]any:
		for name, value := range v {
			o, n := Size(value)
			octets, values = octets+o+len(name)+2, values+n+1
		}
		return octets + 5, values + 1
	case []any:
		for _, value := range v {
			o, n := Size(value)
			octets, values = octets+o+1, values+n
		}
		return octets + 2, values + 1
	}
	if text := reflect.ValueOf(v); text.Kind() == reflect.String { // a type of text, such as a link
		return text.Len(), 1
	}
	return 80, 1 // a number, a time
}
