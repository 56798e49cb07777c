package datavalue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/datavalue"
)

// FuzzSprintf: no more is made than was said before, and none of fmt's words for a
// mistake, unless format or argument have them.
func FuzzSprintf(f *testing.F) {
	for _, format := range []string{"%s", "%08.3f|%x", "%[2]*[1]d", "%d%%", "%+q %-5v", "%!", "%#U %e", "%200000d", "%X%\n"} {
		f.Add(format, "x", "12.50")
	}
	f.Fuzz(func(t *testing.T, format, text, number string) {
		if len(format) > 40 || strings.Count(format, "%") > 4 || !datavalue.IsNumeral(number) {
			return
		}
		args := []any{json.Number(number), text}
		most := datavalue.SprintfSize(format, args)
		if most > 8<<20 {
			return
		}
		out, err := datavalue.Sprintf(format, args)
		if len(out) > most {
			t.Fatalf("%q makes %d octets, said were %d", format, len(out), most)
		}
		if err == nil && strings.Contains(out, "%!") && !strings.Contains(format+text, "!") {
			t.Fatalf("%q made %q", format, out)
		}
	})
}

func TestNilHasNoText(t *testing.T) {
	if text, err := datavalue.Sprintf("%v", []any{nil}); !errors.Is(err, datavalue.ErrNil) || text != "" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestNumbersAreComparedByTheirValue(t *testing.T) {
	less := datavalue.Comparisons()["lt"].(func(a, b reflect.Value) (bool, error))
	for _, c := range []struct {
		a, b any
		want string
	}{
		{json.Number("9"), json.Number("10"), "true <nil>"}, {json.Number("1e1"), 10, "false <nil>"}, {json.Number("0.1"), 0.1, "false <nil>"}, {"9", "10", "false <nil>"},
		{"9", 10, `false the text "9" is compared with the number 10: put the number in quotes, or put (number ...) around the text`},
		{nil, 1, "false nothing cannot be compared with the number 1"}, {[]any{}, map[string]any{}, "false a list cannot be compared with a group of values"},
		{json.Number("1e999"), 1, "false the number 1e999 and the number 1 are too large to be compared"},
	} {
		is, err := less(reflect.ValueOf(c.a), reflect.ValueOf(c.b))
		if got := fmt.Sprint(is, " ", err); strings.ReplaceAll(got, "  ", " ") != c.want {
			t.Errorf("%v < %v: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestNumbersAreTextToo(t *testing.T) {
	zero, is := datavalue.ZeroOf("0.00")
	if _, one := datavalue.ZeroOf("0.01"); !is || one || zero.String() != "0.00" || len(zero) != 0 {
		t.Errorf("%q, %v, %v", zero, is, one)
	}
	if n, err := datavalue.ParseNumber(reflect.ValueOf(" +12.50 ")); n != "12.50" || err != nil {
		t.Errorf("%q, %v", n, err)
	}
	for written, yes := range map[string]bool{"true": true, "False": false, "TRUE": true} {
		if got := fmt.Sprint(datavalue.Bool(yes, written)); got != written {
			t.Errorf("%s was printed as %s", written, got)
		}
	}
}
