package charset_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/smtpsend/smtpsend/internal/charset"
)

var update = flag.Bool("update", false, "write the names of charsets anew from those of x/text")

// quoted is a name in the tables of x/text.
var quoted = regexp.MustCompile(`"([^"\\\n]+)"`)

// expressions are the encodings of x/text, as they are written in Go.
var expressions = map[encoding.Encoding]string{
	charmap.CodePage037:        "charmap.CodePage037",
	charmap.CodePage437:        "charmap.CodePage437",
	charmap.CodePage850:        "charmap.CodePage850",
	charmap.CodePage852:        "charmap.CodePage852",
	charmap.CodePage855:        "charmap.CodePage855",
	charmap.CodePage858:        "charmap.CodePage858",
	charmap.CodePage860:        "charmap.CodePage860",
	charmap.CodePage862:        "charmap.CodePage862",
	charmap.CodePage863:        "charmap.CodePage863",
	charmap.CodePage865:        "charmap.CodePage865",
	charmap.CodePage866:        "charmap.CodePage866",
	charmap.CodePage1047:       "charmap.CodePage1047",
	charmap.CodePage1140:       "charmap.CodePage1140",
	charmap.ISO8859_1:          "charmap.ISO8859_1",
	charmap.ISO8859_2:          "charmap.ISO8859_2",
	charmap.ISO8859_3:          "charmap.ISO8859_3",
	charmap.ISO8859_4:          "charmap.ISO8859_4",
	charmap.ISO8859_5:          "charmap.ISO8859_5",
	charmap.ISO8859_6:          "charmap.ISO8859_6",
	charmap.ISO8859_6E:         "charmap.ISO8859_6E",
	charmap.ISO8859_6I:         "charmap.ISO8859_6I",
	charmap.ISO8859_7:          "charmap.ISO8859_7",
	charmap.ISO8859_8:          "charmap.ISO8859_8",
	charmap.ISO8859_8E:         "charmap.ISO8859_8E",
	charmap.ISO8859_8I:         "charmap.ISO8859_8I",
	charmap.ISO8859_9:          "charmap.ISO8859_9",
	charmap.ISO8859_10:         "charmap.ISO8859_10",
	charmap.ISO8859_13:         "charmap.ISO8859_13",
	charmap.ISO8859_14:         "charmap.ISO8859_14",
	charmap.ISO8859_15:         "charmap.ISO8859_15",
	charmap.ISO8859_16:         "charmap.ISO8859_16",
	charmap.KOI8R:              "charmap.KOI8R",
	charmap.KOI8U:              "charmap.KOI8U",
	charmap.Macintosh:          "charmap.Macintosh",
	charmap.MacintoshCyrillic:  "charmap.MacintoshCyrillic",
	charmap.Windows874:         "charmap.Windows874",
	charmap.Windows1250:        "charmap.Windows1250",
	charmap.Windows1251:        "charmap.Windows1251",
	charmap.Windows1252:        "charmap.Windows1252",
	charmap.Windows1253:        "charmap.Windows1253",
	charmap.Windows1254:        "charmap.Windows1254",
	charmap.Windows1255:        "charmap.Windows1255",
	charmap.Windows1256:        "charmap.Windows1256",
	charmap.Windows1257:        "charmap.Windows1257",
	charmap.Windows1258:        "charmap.Windows1258",
	charmap.XUserDefined:       "charmap.XUserDefined",
	encoding.Replacement:       "encoding.Replacement",
	japanese.EUCJP:             "japanese.EUCJP",
	japanese.ISO2022JP:         "japanese.ISO2022JP",
	japanese.ShiftJIS:          "japanese.ShiftJIS",
	korean.EUCKR:               "korean.EUCKR",
	simplifiedchinese.GB18030:  "simplifiedchinese.GB18030",
	simplifiedchinese.GBK:      "simplifiedchinese.GBK",
	simplifiedchinese.HZGB2312: "simplifiedchinese.HZGB2312",
	traditionalchinese.Big5:    "traditionalchinese.Big5",
	unicode.UTF8:               "unicode.UTF8",
	unicode.UTF16(unicode.BigEndian, unicode.UseBOM):       "unicode.UTF16(unicode.BigEndian, unicode.UseBOM)",
	unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM):    "unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)",
	unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM): "unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)",
}

// sourceOf is the text of a package of x/text.
func sourceOf(t *testing.T, name string) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/text/encoding/"+name).Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			b.Write(text)
		}
	}
	return b.String()
}

// byEncoding are the names in a text that a function knows, by the encoding it returns.
func byEncoding(text string, find func(string) (encoding.Encoding, error)) map[encoding.Encoding][]string {
	names := make(map[encoding.Encoding][]string)
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(m[1])
		if enc, err := find(name); err == nil && enc != nil && !slices.Contains(names[enc], name) {
			names[enc] = append(names[enc], name)
		}
	}
	return names
}

// written is the Go expression of an encoding.
func written(t *testing.T, enc encoding.Encoding) string {
	t.Helper()
	if fmt.Sprint(enc) == "US-ASCII" {
		return "usASCII{}"
	}
	text := expressions[enc]
	if text == "" {
		t.Fatalf("%v is new in x/text: it has no expression here", enc)
	}
	return text
}

func TestNamesAreThoseOfXText(t *testing.T) {
	web := byEncoding(sourceOf(t, "htmlindex"), htmlindex.Get)
	iana := byEncoding(sourceOf(t, "ianaindex"), ianaindex.IANA.Encoding)
	if *update {
		writeNames(t, web, iana)
		return
	}
	if len(web) < 35 || len(iana) < 55 {
		t.Fatalf("x/text has %d and %d encodings", len(web), len(iana))
	}
	for enc, names := range web {
		want, err := htmlindex.Name(enc)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := charset.Name(enc); err != nil || got != want {
			t.Errorf("%v: %q, %v, want %q", enc, got, err, want)
		}
		for _, name := range names {
			if got, err := charset.Get(" " + strings.ToUpper(name)); err != nil || got != enc {
				t.Errorf("%s: %v, %v, want %v", name, got, err, enc)
			}
		}
	}
	for enc, names := range iana {
		for _, name := range names {
			got := charset.Registered(" " + strings.ToUpper(name))
			if got != enc && (got == nil || fmt.Sprint(enc) != "US-ASCII") {
				t.Errorf("%s: %v, want %v", name, got, enc)
			}
		}
	}
	for _, name := range []string{"", "klingon", "utf-7"} {
		if enc, err := charset.Get(name); enc != nil || err == nil {
			t.Errorf("%q: %v", name, enc)
		}
		if enc := charset.Registered(name); enc != nil {
			t.Errorf("%q: %v", name, enc)
		}
	}
}

func TestASCIIHasNoOctetAbove127(t *testing.T) {
	theirs, err := ianaindex.IANA.Encoding("iso646-us")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{"", "a\r\n\x7f", "f\xfcr", strings.Repeat("\xff", 10_000)} {
		got, err := charset.Registered("iso646-us").NewDecoder().String(in)
		want, wantErr := theirs.NewDecoder().String(in)
		if got != want || err != nil || wantErr != nil {
			t.Errorf("%q: %q, %v, want %q, %v", in, got, err, want, wantErr)
		}
	}
}

// writeNames writes names.go.
func writeNames(t *testing.T, web, iana map[encoding.Encoding][]string) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("// Code generated by go test ./internal/charset -run TestNamesAreThoseOfXText -update from golang.org/x/text/encoding; DO NOT EDIT.\n\npackage charset\n\nimport (\n")
	for _, name := range []string{"", "/charmap", "/japanese", "/korean", "/simplifiedchinese", "/traditionalchinese", "/unicode"} {
		fmt.Fprintf(&b, "%q\n", "golang.org/x/text/encoding"+name)
	}
	b.WriteString(")\n\n")
	for _, f := range []struct {
		variable, comment string
		names             map[encoding.Encoding][]string
		canonical         func(encoding.Encoding) (string, error)
	}{
		{"webNames", "webNames are the labels of the web.", web, htmlindex.Name},
		{"registeredNames", "registeredNames are the names of IANA.", iana, func(encoding.Encoding) (string, error) { return "", nil }},
	} {
		lines := make(map[string]string)
		for enc, names := range f.names {
			name, err := f.canonical(enc)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(names)
			text := written(t, enc)
			lines[text] = fmt.Sprintf("{%q, %q, func() encoding.Encoding { return %s }},\n", name, " "+strings.Join(names, " ")+" ", text)
		}
		fmt.Fprintf(&b, "// %s\nvar %s = [...]named{\n", f.comment, f.variable)
		for _, text := range slices.Sorted(maps.Keys(lines)) {
			b.WriteString(lines[text])
		}
		b.WriteString("}\n\n")
	}
	out, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("names.go", out, 0o666); err != nil {
		t.Fatal(err)
	}
}
