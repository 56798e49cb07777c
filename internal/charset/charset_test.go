package charset_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/charset"
)

func utf16Of(text string, bigEndian bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		if bigEndian {
			b.WriteString(string([]byte{byte(u >> 8), byte(u)}))
		} else {
			b.WriteString(string([]byte{byte(u), byte(u >> 8)}))
		}
	}
	return b.String()
}

func TestAByteOrderMarkDecides(t *testing.T) {
	const text = "Grüße €😀\r\nzweite Zeile"
	for name, in := range map[string]string{
		"UTF-8": text, "UTF-8 with mark": "\ufeff" + text, "with Ctrl-Z": text + "\x1a",
		"UTF-16LE": utf16Of("\ufeff"+text, false), "UTF-16BE": utf16Of("\ufeff"+text, true),
	} {
		if got, err := charset.Strict([]byte(in)); err != nil || got != text {
			t.Errorf("%s, strictly: %q, %v", name, got, err)
		}
		if got, taken := charset.Guess(in); got != text || taken.String() != "" {
			t.Errorf("%s, by guess: %q, %v", name, got, taken)
		}
		c, err := charset.Parse("cp850")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Decode(in); strings.HasPrefix(name, "UTF-16") || strings.Contains(name, "mark") {
			if err != nil || got != text {
				t.Errorf("%s, as cp850: %q, %v", name, got, err)
			}
		} else if got == text {
			t.Errorf("%s, as cp850: %q", name, got)
		}
	}
}

func TestStrictRefusesEverythingElse(t *testing.T) {
	for name, in := range map[string]string{
		"Windows-1252": "Gr\xfc\xdfe", "mark of UTF-8 before Windows-1252": "\ufeffGr\xfc\xdfe", "odd UTF-16": "\xff\xfeA\x00B",
		"UTF-16 without mark": utf16Of("A=b\r\nC=d", false), "UTF-32": "\xff\xfe\x00\x00A\x00\x00\x00",
	} {
		if got, err := charset.Strict([]byte(in)); !errors.Is(err, charset.ErrEncoding) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestGuessSaysWhatItTook(t *testing.T) {
	for _, tt := range []struct{ name, in, want, taken string }{
		{"Windows-1252", "a\nGr\xfc\xdfe \x80", "a\nGrüße €", "is not UTF-8 in line 2: it was read as Windows-1252"},
		{"UTF-8 with one octet that is not", "Grüße\n\nf\xfcr", "Grüße\n\nfür", "is not UTF-8 in line 3: it was read as Windows-1252"},
		{"UTF-16LE without mark", utf16Of("Grüße\r\n", false), "Grüße\r\n", "has no byte order mark and is not UTF-8: it was read as UTF-16"},
		{"UTF-16BE without mark", utf16Of("Grüße\r\n", true), "Grüße\r\n", "has no byte order mark and is not UTF-8: it was read as UTF-16"},
		{"UTF-16 cut off", "\xff\xfeA\x00B", "A\ufffd", "has no byte order mark and is not UTF-8: it was read as UTF-16 that ends in the middle of a character"},
		{"NULs of a text", "a\x00\x00b", "a\x00\x00b", ""},
		{"one line", "A\x00", "A\x00", ""},
		{"empty", "", "", ""},
	} {
		if got, taken := charset.Guess(tt.in); got != tt.want || taken.String() != tt.taken {
			t.Errorf("%s: %q, %q", tt.name, got, taken)
		}
	}
}

func TestACharsetIsKnownByManyNames(t *testing.T) {
	for names, tt := range map[string]struct{ in, want string }{
		"cp850 CP850 ibm850 850 IBM850": {"f\x81r Gr\x94\xe1e", "für Größe"},
		"cp858 858 ibm00858":            {"\xd5 \x81", "€ ü"},
		"cp437 437":                     {"\x81\xe1", "üß"},
		"cp852 852":                     {"\xa5", "ą"},
		"cp866 ibm866 866":              {"\x8f\xe0\xa8\xa2\xa5\xe2", "Привет"},
		"windows-1252 cp1252 1252 iso-8859-1 latin1 latin-1": {"\xfc\x80", "ü€"},
		"windows-1250 cp1250":                                {"\xb9", "ą"},
		"iso-8859-2 latin2 ISO_8859-2":                       {"\xb1", "ą"},
		"iso-8859-15 latin9 latin-9":                         {"\xa4", "€"},
		"shift_jis sjis cp932":                               {"\x93\xfa\x96\x7b", "日本"},
		"gbk cp936":                                          {"\xc4\xe3", "你"},
		"utf-16le UTF-16 utf16 1200":                         {"\xfc\x00\x0a\x00", "ü\n"},
		"utf-16be":                                           {"\x00\xfc", "ü"},
		"utf-8 UTF8 65001 cp65001 utf-8-sig":                 {"ü\n", "ü\n"},
		"macintosh":                                          {"\x9f", "ü"},
		"koi8-r":                                             {"\xd0", "п"},
	} {
		for _, name := range strings.Fields(names) {
			c, err := charset.Parse(name)
			if err != nil {
				t.Error(err)
				continue
			}
			if got, err := c.Decode(tt.in); err != nil || got != tt.want {
				t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
			}
			if got, err := io.ReadAll(c.Reader(iotest.OneByteReader(strings.NewReader(tt.in)))); err != nil || string(got) != tt.want {
				t.Errorf("%s, octet by octet: %q, %v, want %q", name, got, err, tt.want)
			}
		}
	}
	for _, name := range []string{"", "cp", "cp0", "klingon", "oem", "utf-7", "replacement", "x\x1b[2J"} {
		var unknown *charset.UnknownError
		if c, err := charset.Parse(name); !errors.As(err, &unknown) || !c.IsZero() || !strings.Contains(err.Error(), "such as utf-8, windows-1252, cp850") {
			t.Errorf("%q: %v, %v", name, c, err)
		}
	}
}

func TestWhatIsNotInTheCharsetIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		line     int
	}{
		{"utf-8", "a\nb\nf\xfcr", 3}, {"utf-8", "Grüße \xc3", 1}, {"shift_jis", "a\n\x81\x20", 2}, {"utf-16le", "a\x00b", 1},
		{"utf-8", "\xff\xfeA\x00B", 0}, {"cp850", "\ufeffGr\xfc", 0},
	} {
		c, err := charset.Parse(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		var wrong *charset.OctetError
		if got, err := c.Decode(tt.in); !errors.As(err, &wrong) || wrong.Line != tt.line {
			t.Errorf("%s %q: %q, %v", tt.name, tt.in, got, err)
		}
	}
	c, err := charset.Parse("utf-8")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(c.Reader(iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	got, err := io.ReadAll(charset.Charset{}.Reader(strings.NewReader("f\xfcr")))
	if string(got) != "f\xfcr" || err != nil {
		t.Errorf("without a charset: %q, %v", got, err)
	}
}

// Whatever comes in, what comes out is UTF-8; and a charset gives the same in one
// piece and octet by octet.
func FuzzCharset(f *testing.F) {
	for _, seed := range []string{"a", "\xff\xfeA\x00", "\ufeffü", "f\xfcr", "a\x00b\x00c\x00", "\x1a", "\x1b$B", "\x81"} {
		for _, name := range []string{"utf-8", "cp850", "shift_jis", "utf-16", "iso-2022-jp", "gb18030", "big5", "euc-kr"} {
			f.Add(name, seed)
		}
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if out, _ := charset.Guess(text); !utf8.ValidString(out) {
			t.Fatalf("%q became %q", text, out)
		}
		if out, err := charset.Strict([]byte(text)); err == nil && !utf8.ValidString(out) {
			t.Fatalf("%q became %q", text, out)
		}
		c, err := charset.Parse(name)
		if err != nil {
			return
		}
		whole, err := c.Decode(text)
		if err == nil && !utf8.ValidString(whole) {
			t.Fatalf("%s: %q became %q", name, text, whole)
		}
		if strings.HasPrefix(text, "\ufeff") || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
			return
		}
		slow, slowErr := io.ReadAll(c.Reader(iotest.OneByteReader(strings.NewReader(text))))
		if (err == nil) != (slowErr == nil) || err == nil && strings.TrimSuffix(string(slow), "\x1a") != whole {
			t.Fatalf("%s: %q became %q, %v and %q, %v", name, text, whole, err, slow, slowErr)
		}
	})
}

func TestUnmarkedIsOctets(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a", "\ufeffTo: a": "To: a", "f\xfcr\x00": "f\xfcr\x00", "\xef\xbbx": "\xef\xbbx"} {
		r, err := charset.Unmarked(iotest.OneByteReader(strings.NewReader(in)))
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{utf16Of("\ufeffTo: a", false), utf16Of("\ufeffTo: a", true), utf16Of("To: a\r\n", false)} {
		if _, err := charset.Unmarked(strings.NewReader(in)); !errors.Is(err, charset.ErrUTF16) {
			t.Errorf("%q: %v", in, err)
		}
	}
	broken := errors.New("broken")
	if _, err := charset.Unmarked(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
}
