package aliases_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/smtpsend/smtpsend/internal/aliases"
)

const file = `# comment
postmaster:    root
root: ops@contoso.example,
	"second admin"@contoso.example
    # a comment between
  third@contoso.example

WWW-Data: postmaster
"quoted name": q@contoso.example
self: self, boss@contoso.example
escaped: \escaped, boss@contoso.example
a: b
b: c, a
c: a, end@contoso.example
loop: pool
pool: loop
program: "|/usr/bin/procmail -f -"
bare: |cat
tofile: /dev/null
list: :include:/etc/list
mixed: ok@contoso.example, program
empty:
root: later@contoso.example
`

func TestExpand(t *testing.T) {
	m, err := aliases.Read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	const root = `ops@contoso.example "second admin"@contoso.example third@contoso.example`
	for _, tt := range []struct{ name, want string }{
		{"root", root},
		{"ROOT", root},
		{"www-data", root},
		{"quoted name", "q@contoso.example"},
		{"unknown", "unknown"},
		{"user@fabrikam.example", "user@fabrikam.example"},
		{"self", "self boss@contoso.example"},
		{"escaped", "escaped boss@contoso.example"},
		{"a", "end@contoso.example"},
		{"\u212Aelvin", "\u212Aelvin"},
	} {
		got, err := m.Expand(tt.name)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%q leads to %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ name, want string }{
		{"program", `alias "program" (line 17): leads to a command, which smtpsend does not run: it only submits mail to addresses`},
		{"bare", `alias "bare" (line 18): leads to a command, which smtpsend does not run: it only submits mail to addresses`},
		{"tofile", `alias "tofile" (line 19): leads to a file, which smtpsend does not write: it only submits mail to addresses`},
		{"list", `alias "list" (line 20): leads to a list of :include:, which is not read: put the addresses into the alias`},
		{"mixed", `alias "mixed" (line 17): leads to a command, which smtpsend does not run: it only submits mail to addresses`},
		{"loop", `alias "loop" (line 15): leads to no address`},
		{"empty", `alias "empty" (line 22): leads to no address`},
	} {
		var e *aliases.Error
		if got, err := m.Expand(tt.name); !errors.As(err, &e) || err.Error() != tt.want {
			t.Errorf("%q leads to %q, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestReadTakesWhatWindowsWrites(t *testing.T) {
	const text = "# für alle\r\nroot: ops@contoso.example\r\n"
	utf16le := "\xff\xfe"
	for _, u := range utf16.Encode([]rune(text)) {
		utf16le += string([]byte{byte(u), byte(u >> 8)})
	}
	for name, in := range map[string]string{
		"byte order mark": "\ufeff" + text, "UTF-16": utf16le, "Windows-1252": strings.ReplaceAll(text, "ü", "\xfc"), "Ctrl-Z": text + "\x1a",
	} {
		m, err := aliases.Read(strings.NewReader(in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := m.Expand("root"); err != nil || strings.Join(got, " ") != "ops@contoso.example" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestReadRefusesWhatIsNoAlias(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"root admin@contoso.example\n", "line 1"},
		{"a: b\n\nSECRET=hunter2\n", "line 3"},
		{": b\n", "line 1"},
		{strings.Repeat("a: "+strings.Repeat("b", 1000)+"\n", 5000), "larger"},
		{"a: " + strings.Repeat("b", 5<<20), "larger"},
	} {
		m, err := aliases.Read(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.20q read as %v, %v", tt.text, m, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the file: %v", err)
		}
	}
}

// A long chain and a wide tree end.
func TestExpandIsBounded(t *testing.T) {
	var chain, wide strings.Builder
	for i := range 100 {
		chain.WriteString("n" + strings.Repeat("x", i) + ": n" + strings.Repeat("x", i+1) + "\n")
	}
	wide.WriteString("all: ")
	for i := range 1100 {
		wide.WriteString("u" + strings.Repeat("x", i) + "@contoso.example,")
	}
	for name, text := range map[string]string{"n": chain.String(), "all": wide.String()} {
		m, err := aliases.Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Expand(name); err == nil {
			t.Errorf("%s leads to %d addresses", name, len(got))
		}
	}
}

// TestFilesOfManyAliasesAreRefused, before they take memory; a line that goes on in
// many is put together once.
func TestFilesOfManyAliasesAreRefused(t *testing.T) {
	var many strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&many, "a%d: b\n", i)
	}
	for name, text := range map[string]string{"entries": many.String(), "targets": "a: " + strings.Repeat("b,", 300_000)} {
		if _, err := aliases.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "one alias too many: a file may have 50000, with 200000 addresses and names") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := aliases.Read(strings.NewReader("a: b\n" + strings.Repeat(" ,b\n", 150_000)))
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err != nil || !m.Has("a") || taken > 50<<20 {
		t.Errorf("%v, %d MB were taken", err, taken>>20)
	}
}

// Whatever the file says, an expansion ends, gives nobody twice and no command.
func FuzzExpand(f *testing.F) {
	f.Add(file, "root")
	f.Add("a: b, a\nb: \\a", "a")
	f.Add("a: \"|x, y\"", "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		m, err := aliases.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		got, err := m.Expand(name)
		seen := map[string]bool{}
		for _, a := range got {
			if seen[a] || (m.Has(name) && (strings.HasPrefix(a, "|") || strings.HasPrefix(a, `"|`))) {
				t.Errorf("%q leads to %q", name, got)
			}
			seen[a] = true
		}
		if err == nil && len(got) == 0 {
			t.Errorf("%q leads to no address, without an error", name)
		}
	})
}
