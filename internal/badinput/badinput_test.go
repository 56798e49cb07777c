package badinput_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/badinput"
)

func TestErrorsQuoteWhatWasGiven(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "a.pdf")
	_, cause := os.Stat(missing)
	for want, err := range map[string]error{
		`To: no address`: badinput.Field("To", "", "no address"),
		`To "a\r\nBcc: b": a carriage return at octet 2: a field is one line`: badinput.Field("To", "a\r\nBcc: b", badinput.NotOneLine("a\r\nBcc: b")),
		`To "` + strings.Repeat("x", 119) + `...": too long`:                  badinput.Field("To", strings.Repeat("x", 119)+"äöü", "too long"),
		`file "` + missing + `": no such file or directory`:                   badinput.File(missing, cause),
		`file "a": cut off`: badinput.File("a", errors.New("cut off")),
	} {
		if got := err.Error(); got != want && !strings.Contains(got, "cannot find") { // as Windows says it
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestErrorsUnwrapToTheReason(t *testing.T) {
	reason := errors.New("the reason")
	if err := error(&badinput.FieldError{Field: "To", Reason: "x", Err: reason}); !errors.Is(err, reason) {
		t.Errorf("%v does not unwrap to its reason", err)
	}
	if err := badinput.Field("To", "", "x"); errors.Unwrap(err) != nil {
		t.Errorf("%v unwraps to %v", err, errors.Unwrap(err))
	}
	if err := badinput.File("a", &fs.PathError{Op: "open", Path: "a", Err: fs.ErrNotExist}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}
