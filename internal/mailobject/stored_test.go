package mailobject_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject"
)

func TestStoredContentIsReadAnewEachTime(t *testing.T) {
	opened := 0
	c := mailobject.Stored(5, true, func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader("a\r\nb\n")), nil
	})
	for range 2 {
		var out strings.Builder
		if n, err := c.WriteTo(&out); err != nil || n != 5 || out.String() != "a\r\nb\n" {
			t.Errorf("wrote %d octets %q, %v", n, out.String(), err)
		}
	}
	if opened != 2 || c.Size() != 5 || !c.EightBit() {
		t.Errorf("opened %d times, size %d, eight bit %v", opened, c.Size(), c.EightBit())
	}
}

func TestStoredContentThatIsDamagedFails(t *testing.T) {
	gone := errors.New("gone")
	if _, err := mailobject.Stored(5, false, func() (io.ReadCloser, error) { return nil, gone }).WriteTo(io.Discard); !errors.Is(err, gone) {
		t.Errorf("err = %v, want the opener's", err)
	}
	short := mailobject.Stored(5, false, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("a")), nil })
	if _, err := short.WriteTo(io.Discard); err == nil || err.Error() != "writing content: a segment of 5 octets became 1" {
		t.Errorf("err = %v", err)
	}
}
