package datavalue

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Comparisons are the functions eq, ne, lt, le, gt and ge, for use instead of Go's, which
// take a number of JSON for a text: 10 comes before 9 there, and {{gt .n 3}} is an
// error. A number and a text are equal when the text is the number as it was written.
func Comparisons() map[string]any {
	less := func(a, b reflect.Value) (bool, error) { n, err := order(a, b); return n < 0, err }
	more := func(a, b reflect.Value) (bool, error) { n, err := order(a, b); return n > 0, err }
	return map[string]any{
		"eq": equal, "lt": less, "gt": more,
		"ne": func(a, b reflect.Value) (bool, error) { same, err := equal(a, b); return !same, err },
		"le": func(a, b reflect.Value) (bool, error) { is, err := more(a, b); return !is && err == nil, err },
		"ge": func(a, b reflect.Value) (bool, error) { is, err := less(a, b); return !is && err == nil, err },
	}
}

// equal reports whether a is one of the others. Nothing equals nothing only.
func equal(a reflect.Value, others ...reflect.Value) (bool, error) {
	if len(others) == 0 {
		return false, errors.New("missing argument for comparison")
	}
	for _, b := range others {
		if same, err := same(Inside(a), Inside(b)); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func same(a, b reflect.Value) (bool, error) {
	switch {
	case isNothing(a) || isNothing(b):
		return isNothing(a) && isNothing(b), nil
	case isNumber(a) && isNumber(b):
		n, err := order(a, b)
		return n == 0 && err == nil, err
	case isString(a) && isString(b):
		return textOf(a) == textOf(b), nil
	case a.Kind() == reflect.Bool && b.Kind() == reflect.Bool:
		return a.Bool() == b.Bool(), nil
	case a.Type() == b.Type() && a.Comparable() && b.Comparable():
		return a.Interface() == b.Interface(), nil
	}
	return false, incomparable(a, b)
}

// order is below 0 when a comes before b.
func order(a, b reflect.Value) (int, error) {
	a, b = Inside(a), Inside(b)
	if isNumber(a) && isNumber(b) {
		if isString(a) && isString(b) && textOf(a) == textOf(b) {
			return 0, nil
		}
		x, small := exact(a)
		y, modest := exact(b)
		if !small || !modest {
			return 0, fmt.Errorf("%s and %s are too large to be compared", Describe(a), Describe(b))
		}
		return x.Cmp(y), nil
	}
	if isNothing(a) || isNothing(b) || isNumber(a) || isNumber(b) || !isString(a) || !isString(b) {
		return 0, incomparable(a, b)
	}
	switch x, y := a.String(), b.String(); {
	case x < y:
		return -1, nil
	case x > y:
		return 1, nil
	}
	return 0, nil
}

// isNothing reports nil, of whatever type.
func isNothing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Map, reflect.Pointer, reflect.Func, reflect.Chan:
		return v.IsNil()
	}
	return false
}

// isNumber reports a number of data or of the template.
func isNumber(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	_, ok := Number(v.Interface())
	return ok || v.CanInt() || v.CanUint() || v.CanFloat()
}

// isString reports a text, or a number of data, which is one as it was written.
func isString(v reflect.Value) bool {
	isZero := v.IsValid() && v.Type() == reflect.TypeFor[Zero]()
	return v.Kind() == reflect.String || isZero
}

func textOf(v reflect.Value) string {
	if z, ok := v.Interface().(Zero); ok {
		return z.String()
	}
	return v.String()
}

// incomparable says what does not go together. A column of CSV is always text.
func incomparable(a, b reflect.Value) error {
	text, number := a, b
	if isNumber(a) {
		text, number = b, a
	}
	if _, ofData := Number(Of(text)); isString(text) && !ofData && isNumber(number) {
		return fmt.Errorf("%s is compared with %s: put the number in quotes, or put (number ...) around the text", Describe(text), Describe(number))
	}
	return fmt.Errorf("%s cannot be compared with %s", Describe(a), Describe(b))
}

// ParseNumber is the function number: it makes a number of a text that is one, such as a
// column of CSV.
func ParseNumber(v reflect.Value) (json.Number, error) {
	v = Inside(v)
	if n, ok := Number(Of(v)); ok {
		return n, nil
	}
	text := ""
	switch {
	case isNumber(v):
		text = fmt.Sprint(v)
	case v.Kind() == reflect.String && v.Len() <= longestNumber:
		text = strings.TrimPrefix(strings.TrimSpace(v.String()), "+")
	}
	if !IsNumeral(text) {
		return "", fmt.Errorf("%s is not a number such as 1234.50", Describe(v))
	}
	return json.Number(text), nil
}
