// Package textfile reads texts that people keep in files or give on standard input:
// up to a limit, and in the charset that they are in.
//
// Errors are *badinput.FileError for a file that cannot be read, and have the exit
// code of bad data (internal/exit) where a text is too long, or is not in the
// charset that was named. A context that ends is its own cause.
package textfile

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Read reads a file, or standard input for "-", of at most that many octets, as it
// is. Without stdin there is none. It ends with ctx, also where it waits.
func Read(ctx context.Context, name string, stdin io.Reader, most int) (string, error) {
	if name == "-" && stdin == nil {
		return "", exit.Usagef("standard input cannot be used here: name a file")
	}
	var text strings.Builder
	in := stdin
	if name != "-" {
		f, err := ownfile.OpenContext(ctx, name)
		if err != nil {
			return "", FileError(ctx, name, err)
		}
		defer f.Close()
		in = f
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			text.Grow(min(int(info.Size()), most) + 1)
		}
	}
	n, err := io.Copy(&text, io.LimitReader(in, int64(most)+1))
	if err != nil {
		return "", FileError(ctx, name, err)
	}
	if n > int64(most) {
		return "", exit.With(exit.Data, fmt.Errorf("file %q: has more than %d octets", name, most))
	}
	return text.String(), nil
}

// FileError is the error of reading the file: a *badinput.FileError, or the cause of
// ctx when that has ended.
func FileError(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &badinput.FileError{Path: name, Err: err}
}

// Reader reads texts in the charset that was named, unless they begin with a byte
// order mark. Where none was named, what is not UTF-8 is read all the same, with a
// warning for each file.
type Reader struct {
	// Stdin is read for the name "-"; nil: standard input is not taken.
	Stdin io.Reader
	// Charset is that of all texts; zero: none was named.
	Charset charset.Charset
	// CharsetBy is what names the charset, such as --charset, for warnings.
	CharsetBy string
	// Warn gets what is allowed and perhaps not meant.
	Warn func(format string, args ...any)
}

// ParseCharset sets Charset to the one of that name; "" is none.
func (r *Reader) ParseCharset(name string) (err error) {
	if name == "" {
		return nil
	}
	if r.Charset, err = charset.Parse(name); err != nil {
		return exit.Usagef("%s %v", r.CharsetBy, err)
	}
	return nil
}

// Read reads a file of at most that many octets as UTF-8. by is what named the file,
// such as --text-file: errors and warnings begin with it.
func (r *Reader) Read(ctx context.Context, by, file string, most int) (string, error) {
	text, err := Read(ctx, file, r.Stdin, most)
	if err != nil {
		return "", fmt.Errorf("%s: %w", by, err)
	}
	where := fmt.Sprintf("%s %q", by, file)
	if file == "-" {
		where = by + ": standard input"
	}
	if r.Charset.IsZero() {
		return r.guess(where, text), nil
	}
	decoded, err := r.Charset.Decode(text)
	if err != nil {
		return "", exit.With(exit.Data, fmt.Errorf("%s %w", where, err))
	}
	couldBeUTF8 := utf8.ValidString(text) && !mimetext.IsASCII(text) && !strings.HasPrefix(text, "\ufeff")
	if decoded != text && couldBeUTF8 {
		r.Warn("%s could be UTF-8: it was read as %s, as %s says", where, r.Charset, r.CharsetBy)
	}
	return decoded, nil
}

// guess reads a text whose charset was not named.
func (r *Reader) guess(where, text string) string {
	decoded, taken := charset.Guess(text)
	if said := taken.String(); said != "" {
		r.Warn("%s %s; if that is wrong, name its charset with %s, such as cp850 for the output of cmd.exe", where, said, r.CharsetBy)
	}
	return decoded
}

// Argument warns of a text that was given as it is, not in a file, and is not UTF-8:
// Charset does not apply to it. by is what gave it.
func (r *Reader) Argument(by, text string) {
	if _, taken := charset.Guess(text); taken.Name != "" {
		r.Warn("%s %s; for another charset use a file and %s", by, taken, r.CharsetBy)
	}
}
