package mailtemplate

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// Values of data are text, numbers, true and false, nil, lists and groups of values,
// the same from JSON and from YAML. A number is a json.Number, which is printed as it
// was written.

// numeral is how JSON writes a number.
var numeral = lazyregexp.New(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)

// zero is a number that is nothing for if, with, range, and, or and not, as Go's own
// numbers are; a json.Number is a text for them, and "0" one with something in it.
// It is an empty slice, which is nothing for them, too, and has its text after its
// end, so that {{or .a .b}} still prints it as it was written.
type zero []string

// zeroOf returns n as a zero when it is one.
func zeroOf(n json.Number) (zero, bool) {
	mantissa, _, _ := strings.Cut(strings.ToLower(string(n)), "e")
	if strings.Trim(mantissa, "-0.") != "" {
		return nil, false
	}
	return zero{string(n)}[:0], true
}

// String is the number as it was written.
func (z zero) String() string {
	if cap(z) == 0 {
		return "0"
	}
	return z[:1][0]
}

// MarshalJSON writes the number.
func (z zero) MarshalJSON() ([]byte, error) { return json.Marshal(json.Number(z.String())) }

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

// numberOf returns a number of data.
func numberOf(v any) (json.Number, bool) {
	switch v := v.(type) {
	case json.Number:
		return v, true
	case zero:
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
	e, err := strconv.Atoi(exponent)
	return exponent == "" || err == nil && max(e, -e) <= largestExponent
}

// exact is the value of a number of data or of the template. 0.1 is a tenth in both.
func exact(v reflect.Value) (*big.Rat, bool) {
	if !v.IsValid() {
		return nil, false
	}
	n, ok := numberOf(v.Interface())
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

// whole hands on an integer of data as Go's int, which range, index and slice take.
func whole(v reflect.Value) reflect.Value {
	s := inside(v)
	if !s.IsValid() {
		return v
	}
	if n, ok := numberOf(s.Interface()); ok && len(n) <= longestNumber {
		if i, err := strconv.Atoi(string(n)); err == nil {
			return reflect.ValueOf(i)
		}
	}
	return v
}

// isText reports a value that is printed as one text: no list, no group, not nothing.
func isText(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Bool:
		return true
	case reflect.Slice:
		return v.Type() == reflect.TypeFor[zero]()
	}
	return v.CanInt() || v.CanUint() || v.CanFloat()
}

// called is a value in the words of who wrote the data.
func called(v reflect.Value) string {
	if v = inside(v); !v.IsValid() {
		return "nothing"
	}
	if n, ok := numberOf(v.Interface()); ok {
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
