package envfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/envfile"
)

func TestReadTakesOneAssignmentALine(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"bare", "A=b", "A=b@1"},
		{"empty", "A=", "A=@1"},
		{"blanks around a bare value", "  A=  b c  ", "A=b c@1"},
		{"export", "export\t A=b", "A=b@1"},
		{"a name that begins with export", "exportA=b", "exportA=b@1"},
		{"comments and empty lines", "# one\n\n \t# two\nA=b", "A=b@4"},
		{"comment behind a value", "A=b c # d", "A=b c@1"},
		{"comment in the place of a value", "A= # d", "A=@1"},
		{"# within a value", "A=https://x/#TenantID#/y", "A=https://x/#TenantID#/y@1"},
		{"# at the start of a value", "A=#b", "A=#b@1"},
		{"= within a value", "A=b=c==", "A=b=c==@1"},
		{"single quotes", `A='b "$c" \d # e' # f`, `A=b "$c" \d # e@1`},
		{"double quotes", `A="b \"c\" \\ \$d \` + "`" + `e 'f' C:\new # g"`, `A=b "c" \ $d ` + "`" + `e 'f' C:\new # g@1`},
		{"quotes within quotes stay", `A="'b'"`, `A='b'@1`},
		{"quotes within a bare value", `A=b"c"`, `A=b"c"@1`},
		{"no interpolation", "A=$HOME${B}`c`", "A=$HOME${B}`c`@1"},
		{"CRLF and byte order mark", "\ufeffA=b\r\nB=c\r\n", "A=b@1 B=c@2"},
		{"a name twice", "A=b\nA=c", "A=b@1 A=c@2"},
		{"non-ASCII", "A=Grüße", "A=Grüße@1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := envfile.Read(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := format(all); got != tt.want {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}

func format(all []envfile.Assignment) string {
	var out []string
	for _, a := range all {
		out = append(out, fmt.Sprintf("%s=%s@%d", a.Name, a.Value, a.Line))
	}
	return strings.Join(out, " ")
}

func TestReadNamesEveryBadLineAndNoValue(t *testing.T) {
	in := "A=good\nS3CRET\n1A=S3CRET\nA B=S3CRET\n=S3CRET\nA='S3CRET\nA=\"S3CRET\\\"\nA='x' S3CRET\nA=S3\x01CRET\nB=good"
	all, err := envfile.Read(strings.NewReader(in))
	var e *envfile.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v; want *envfile.Error", err)
	}
	want := []string{
		"line 2: is not KEY=VALUE",
		"line 3: has no variable name before the = (letters, digits and _, no blank)",
		"line 4: has no variable name before the = (letters, digits and _, no blank)",
		"line 5: has no variable name before the = (letters, digits and _, no blank)",
		"line 6: has an opening quote without a closing one",
		"line 7: has an opening quote without a closing one",
		"line 8: continues after the closing quote",
		"line 9: has a control character in its value",
	}
	var got []string
	for _, line := range e.Lines {
		got = append(got, line.Error())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(err.Error(), "S3") {
		t.Errorf("error holds a value: %v", err)
	}
	if got := format(all); got != "A=good@1 B=good@10" {
		t.Errorf("the good lines are %s", got)
	}
}

func TestReadTakesUTF16(t *testing.T) {
	const text = "SMTPSEND_MAIL_SENDER=grüße@contoso.example\r\nB=😀\r\n"
	little, big := []byte{0xff, 0xfe}, []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(text)) {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	for name, data := range map[string][]byte{"little": little, "big": big} {
		all, err := envfile.Read(strings.NewReader(string(data)))
		if got := format(all); err != nil || got != "SMTPSEND_MAIL_SENDER=grüße@contoso.example@1 B=😀@2" {
			t.Errorf("%s endian: %s, %v", name, got, err)
		}
	}
}

func TestReadRefusesWhatIsNoTextOrTooMuch(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want error
	}{
		"binary":     {"A=\xff\xfe\xfd", charset.ErrEncoding},
		"odd UTF-16": {"\xff\xfeA", charset.ErrEncoding},
		"too large":  {strings.Repeat("#", envfile.MaxSize) + "\n", envfile.ErrTooLarge},
	} {
		if _, err := envfile.Read(strings.NewReader(tt.in)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", name, err, tt.want)
		}
	}
	if _, err := envfile.Read(strings.NewReader(strings.Repeat("#", envfile.MaxSize))); err != nil {
		t.Errorf("the largest file: %v", err)
	}
}

func TestFormatQuotesOnlyWhatMustBe(t *testing.T) {
	for value, want := range map[string]string{
		"":                           "A=",
		"587":                        "A=587",
		"a@contoso.example":          "A=a@contoso.example",
		"https://h/#TenantID#/t":     "A=https://h/#TenantID#/t",
		"Fc38Q~ab.c_d-e":             "A=Fc38Q~ab.c_d-e",
		"two words":                  "A='two words'",
		"#x":                         "A='#x'",
		`it's "$HOME" \`:             `A="it's \"\$HOME\" \\"`,
		"Grüße":                      "A='Grüße'",
		"sealed:YWdl+/x":             "A=sealed:YWdl+/x",
		"op read 'op://a/b c' `x` '": "A=\"op read 'op://a/b c' \\`x\\` '\"",
	} {
		if got, err := envfile.Format("A", value); err != nil || got != want {
			t.Errorf("Format(%q) = %s, %v; want %s", value, got, err, want)
		}
	}
	for _, bad := range [][2]string{{"A B", "x"}, {"", "x"}, {"A", "S3CRET\n"}, {"A", "S3CRET\x00"}, {"A", "S3CRET\xff"}} {
		if got, err := envfile.Format(bad[0], bad[1]); err == nil || strings.Contains(err.Error(), "S3CRET") {
			t.Errorf("Format(%q) = %q, %v; want an error without the value", bad, got, err)
		}
	}
}

func TestAssignmentDoesNotPrintItsValue(t *testing.T) {
	a := envfile.Assignment{Name: "A", Value: "S3CRET", Line: 3}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, x := range []any{a, []envfile.Assignment{a}, &a, struct{ A envfile.Assignment }{a}} {
			if got := fmt.Sprintf(verb, x); strings.Contains(got, "S3CRET") || !strings.Contains(got, "[redacted]") {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

// What Format writes, Read reads back as the same; what Read takes, Format can
// write again; no error holds a value.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"A=b", "export A='b # c'\r\nB=\"\\\\\\$\"", "# comment\nSMTPSEND_OFFICE_TOKEN_ENDPOINT=https://login.microsoftonline.com/#TenantID#/oauth2/v2.0/token",
		"\ufeffA=b", "\xff\xfeA\x00=\x00b\x00", "A='", "A=\"\\", "=x", "A= #", "A=\u0085", "A=\u2028 #",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := envfile.Read(strings.NewReader(string(data)))
		var lines *envfile.Error
		if err != nil && !errors.As(err, &lines) && len(all) > 0 {
			t.Fatalf("assignments beside %v", err)
		}
		for _, a := range all {
			line, err := envfile.Format(a.Name, a.Value)
			if err != nil {
				t.Fatalf("%q was read but cannot be written: %v", a.Value, err)
			}
			again, err := envfile.Read(strings.NewReader("#\n" + line + "\n"))
			if err != nil || len(again) != 1 || again[0].Name != a.Name || again[0].Value != a.Value || again[0].Line != 2 {
				t.Fatalf("%q was written as %s and read as %d assignments, %v", a.Value, line, len(again), err)
			}
		}
	})
}

func FuzzFormat(f *testing.F) {
	const mark = "-S3CRET" // ends every value, so that one is recognised in an error
	for _, seed := range []string{"", "x", " x ", "#x", "it's", `"$\`, "x #y", "~", "\ufeff", "Grüße"} {
		f.Add("NAME", seed)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		value += mark
		line, err := envfile.Format(name, value)
		if err != nil {
			if !strings.Contains(name, mark) && strings.Contains(err.Error(), mark) {
				t.Fatalf("error holds the value: %v", err)
			}
			return
		}
		all, err := envfile.Read(strings.NewReader(line))
		if err != nil && len(line) < envfile.MaxSize {
			t.Fatalf("%q is read with %v", line, err)
		}
		if err == nil && (len(all) != 1 || all[0].Name != name || all[0].Value != value) {
			t.Fatalf("%q was written as %q and read as something else", value, line)
		}
	})
}

// TestOnlySomeBadLinesAreNamed: a file that is none had 60,000 lines to say so.
func TestOnlySomeBadLinesAreNamed(t *testing.T) {
	all, err := envfile.Read(strings.NewReader(strings.Repeat("x\n", 60_000) + "A=b\n"))
	var wrong *envfile.Error
	if len(all) != 1 || !errors.As(err, &wrong) || len(wrong.Lines) != 20 {
		t.Fatalf("%d assignments, %.300v", len(all), err)
	}
	if got := wrong.Lines[19].Error(); got != "line 20: is not KEY=VALUE; and 59980 more lines cannot be read" {
		t.Error(got)
	}
}
