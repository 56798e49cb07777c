package datavalue

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// ErrNil is a nil of the template itself; one of the data has a place in it.
var ErrNil = errors.New("nil is not a text")

// Sprintf is fmt's, and prints numbers of data by the verbs for numbers. What fmt writes
// for a verb that does not fit its argument or is too wide, "%!d(string=x)", is an
// error: it must not go out. So is nil, with ErrNil. It replaces numbers in args.
func Sprintf(format string, args []any) (string, error) {
	for i, arg := range args {
		if arg == nil {
			return "", ErrNil
		}
		if n, ok := Number(arg); ok {
			args[i] = printed(n)
		}
	}
	text := fmt.Sprintf(format, args...)
	if !strings.Contains(text, "%!") && !strings.Contains(format, "T") && !strings.Contains(format, "p") {
		return text, nil
	}
	if mistake := misprint(format, args, text); mistake != "" {
		hint := ""
		if strings.Contains(mistake, "(string=") {
			hint = "; (number ...) makes a number of a text"
		}
		return "", fmt.Errorf("%.100q gives %q: a verb does not fit its argument, or is too wide%s", format, mistake, hint)
	}
	return text, nil
}

// misprint is what fmt says of a mistake, "" when there is none. Texts of the format
// and of arguments may look like one, so they are left out.
func misprint(format string, args []any, text string) string {
	var verbs strings.Builder
	next := 0
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		v := readVerb(format[i+1:], args, &next)
		verb := format[i : i+1+v.length]
		if i += v.length; verb == "%%" {
			continue
		}
		if verb[len(verb)-1] == 'T' || verb[len(verb)-1] == 'p' { // types and addresses of Go's
			return verb
		}
		verbs.WriteString(verb)
	}
	bare := make([]any, len(args))
	for i, arg := range args {
		if bare[i] = arg; reflect.TypeOf(arg).Kind() == reflect.String && !isPrinted(arg) {
			bare[i] = ""
		}
	}
	found := misprinted.Get().FindString(fmt.Sprintf(verbs.String(), bare...))
	if i := strings.Index(text, found); found != "" && i >= 0 {
		return misprinted.Get().FindString(text[i:])
	}
	return found
}

// misprinted is how fmt tells of a mistake.
var misprinted = lazyregexp.New(`(?s)%!.?\([^()]{0,40}`)

// printed is a number of data that printf prints as it was written, or by a verb for
// numbers.
type printed json.Number

func isPrinted(v any) bool { _, ok := v.(printed); return ok }

// Format prints the number; where it does not fit the verb, fmt says so.
func (n printed) Format(s fmt.State, verb rune) {
	var v any = string(n)
	switch verb {
	case 'b', 'c', 'd', 'o', 'O', 'x', 'X', 'U':
		v = n.integer()
	case 'e', 'E', 'f', 'F', 'g', 'G':
		v = n.float()
	}
	fmt.Fprintf(s, fmt.FormatString(s, verb), v)
}

// integer is what Go calls an integer of its value, else a float or the text.
func (n printed) integer() any {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	if isModest(json.Number(n)) {
		if i, ok := new(big.Int).SetString(string(n), 10); ok {
			return i
		}
	}
	return n.float()
}

// float is what Go calls a float of its value, without losing a digit, else the text.
func (n printed) float() any {
	if f, err := strconv.ParseFloat(string(n), 64); err == nil && len(n) <= exactDigits {
		return f
	}
	if isModest(json.Number(n)) {
		if f, _, err := big.ParseFloat(string(n), 10, precise, big.ToNearestEven); err == nil {
			return f
		}
	}
	return string(n)
}

// A float64 keeps so many digits; for more of them so many bits are taken.
const (
	exactDigits = 15
	precise     = 512
)

// SprintfSize is how many octets Sprintf makes at most.
func SprintfSize(format string, args []any) int {
	n, next, most := len(format), 0, 0
	for _, arg := range args {
		octets, _ := Size(arg)
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
			octets, values = Size(args[v.arg])
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
	length int  // of it after the %
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
