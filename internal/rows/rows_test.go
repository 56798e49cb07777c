package rows_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/rows"
)

// readAll reads rows as text, and what was wrong with some.
func readAll(name, text, key string) (good []string, wrong []string, legacy int) {
	r, err := rows.NewReader(name, strings.NewReader(text), key)
	if err != nil {
		return nil, []string{err.Error()}, 0
	}
	for {
		row, err := r.Next()
		var bad *rows.Error
		switch {
		case errors.Is(err, io.EOF):
			return good, wrong, r.Legacy
		case errors.As(err, &bad):
			wrong = append(wrong, err.Error())
			if bad.N == 0 {
				return good, wrong, r.Legacy
			}
		default:
			good = append(good, fmt.Sprintf("%d:%d %v", row.N, row.Line, row.Data))
		}
	}
}

func TestReadRows(t *testing.T) {
	utf16 := "\xff\xfen\x00a\x00m\x00e\x00\n\x00\xfc\x00\n\x00"
	for _, tt := range []struct {
		name, text string
		rows       []string
		wrong      []string
		legacy     int
	}{
		{"a.csv", "email,name\na@x,Ann\nb@x,\"B, \"\"Bob\"\"\"\n", []string{`1:2 map[email:a@x name:Ann]`, `2:3 map[email:b@x name:B, "Bob"]`}, nil, 0},
		{"a.csv", "\xef\xbb\xbfemail;name\r\na@x;A,B\r\n", []string{"1:2 map[email:a@x name:A,B]"}, nil, 0},
		{"a.tsv", "email\tname\na@x\tA;B\n", []string{"1:2 map[email:a@x name:A;B]"}, nil, 0},
		{"a.csv", "\"a;b\",c\n1,2\n", []string{"1:2 map[a;b:1 c:2]"}, nil, 0},
		{"a.csv", "name\nM\xfcller\nok\n", []string{"1:2 map[name:Müller]", "2:3 map[name:ok]"}, nil, 2},
		{"a.csv", utf16, []string{"1:2 map[name:ü]"}, nil, 0},
		{"a.csv", "a,b\n1\n2,3\n\n", []string{"2:3 map[a:2 b:3]"}, []string{"row 1 (line 2): has 1 field, the line of names 2"}, 0},
		{"a.csv", "a,b\n1,\"x\ny\"\n3,4\n", []string{"1:2 map[a:1 b:x\ny]", "2:4 map[a:3 b:4]"}, nil, 0},
		{"a.csv", "a,b\n1,2\n\x1a", []string{"1:2 map[a:1 b:2]"}, nil, 0},
		{"a.jsonl", "{\"a\": 1}\n\x1a", []string{"1:1 map[a:1]"}, nil, 0},
		{"a.jsonl", "{\"a\": 1}\n{\"a\": \"f\xfcr\"}\n", []string{"1:1 map[a:1]", "2:2 map[a:für]"}, nil, 2},
		{"a.csv", "a\x00b\x00\n\x00", nil, []string{"has no byte order mark and looks like UTF-16: --charset utf-16le reads it"}, 0},
		{"a.csv", "a\n\"x\n", nil, []string{`row 1 (line 2): extraneous or missing " in quoted-field`}, 0},
		{"a.csv", "", nil, []string{"no line of column names"}, 0},
		{"a.csv", "a,,b\n", nil, []string{"column 2 has no name in line 1"}, 0},
		{"a.csv", "a,a\n", nil, []string{`two columns have the name "a"`}, 0},
		{"a.jsonl", "{\"a\": 12345678901234567890}\n\n{\"b\": [\"x\"]}\n[1]\n{} {}\n{", []string{"1:1 map[a:12345678901234567890]", "2:3 map[b:[x]]"},
			[]string{"row 3 (line 4): is not a JSON object", "row 4 (line 5): has something after its JSON object", "row 5 (line 6): is not a JSON object"}, 0},
		{"-", "{\"a\": 1}\n", []string{"1:1 map[a:1]"}, nil, 0},
		{"a.jsonl", "{\"a\": \"" + strings.Repeat("x", 5<<20) + "\"}\n", nil, []string{"line 1 is longer than 4194304 octets"}, 0},
	} {
		good, wrong, legacy := readAll(tt.name, tt.text, "")
		if !reflect.DeepEqual(good, tt.rows) || !reflect.DeepEqual(wrong, tt.wrong) || legacy != tt.legacy {
			t.Errorf("%s %q:\n%q %q %d\nwant\n%q %q %d", tt.name, tt.text, good, wrong, legacy, tt.rows, tt.wrong, tt.legacy)
		}
	}
}

func keys(t *testing.T, text, column string) (list []string) {
	t.Helper()
	r, err := rows.NewReader("x.csv", strings.NewReader(text), column)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, row.Key)
	}
}

func TestKeysNameRows(t *testing.T) {
	hashes := keys(t, "a,b\n1,23\n12,3\n1,23\n", "")
	if hashes[0] == hashes[1] || hashes[0] != hashes[2] || len(hashes[0]) != 22 {
		t.Errorf("hashes %q", hashes)
	}
	if got := keys(t, "id,b\n 7 ,x\n8,x\n", "id"); !reflect.DeepEqual(got, []string{"7", "8"}) {
		t.Errorf("keys %q", got)
	}
	for text, want := range map[string]string{
		"a\n1\n":      `row 1 (line 2): no column "id", which --key names`,
		"id,a\n ,1\n": `row 1 (line 2): column "id", which --key names, is empty`,
	} {
		if _, wrong, _ := readAll("a.csv", text, "id"); len(wrong) != 1 || wrong[0] != want {
			t.Errorf("%q: %q, want %q", text, wrong, want)
		}
	}
}

// TestAKeyIsAText: rows without one were all named "<nil>", and all but one left out.
func TestAKeyIsAText(t *testing.T) {
	text := `{"id": null, "n": 1}` + "\n" + `{"id": null, "n": 1}` + "\n" + `{"id": [1, null]}` + "\n" + `{"id": {"a": 1}}` + "\n" + `{"id": 12345678901234567890}` + "\n" + `{"id": true}` + "\n" + `{"id": "<nil>"}` + "\n"
	good, wrong, _ := readAll("a.jsonl", text, "id")
	if want := []string{`5:5 map[id:12345678901234567890]`, `6:6 map[id:true]`, `7:7 map[id:<nil>]`}; !reflect.DeepEqual(good, want) {
		t.Errorf("%q, want %q", good, want)
	}
	null, group := `"id", which --key names, is null`, `"id", which --key names, is a list or a group of values, not text`
	if want := []string{"row 1 (line 1): " + null, "row 2 (line 2): " + null, "row 3 (line 3): " + group, "row 4 (line 4): " + group}; !reflect.DeepEqual(wrong, want) {
		t.Errorf("%q, want %q", wrong, want)
	}
}

// FuzzReadRows holds that reading ends, and that the key of a row depends on the
// row alone.
func FuzzReadRows(f *testing.F) {
	f.Add("a.csv", "a;b\n1;2\n")
	f.Add("a.jsonl", "{\"a\":1}\n")
	f.Add("a.csv", "\xff\xfea\x00\n\x00")
	f.Fuzz(func(t *testing.T, name, text string) {
		r, err := rows.NewReader(name, strings.NewReader(text), "")
		if err != nil {
			return
		}
		seen := map[string]string{}
		for n := 0; ; n++ {
			row, err := r.Next()
			var bad *rows.Error
			if errors.Is(err, io.EOF) || (errors.As(err, &bad) && bad.N == 0) {
				return
			}
			if n > len(text)+1 {
				t.Fatalf("%d rows of %d octets", n, len(text))
			}
			if err != nil {
				continue
			}
			data := fmt.Sprintf("%q", row.Data)
			if old, ok := seen[row.Key]; ok && old != data && r.Legacy == 0 {
				t.Fatalf("rows %s and %s share a key", old, data)
			}
			seen[row.Key] = data
		}
	})
}

func TestARowIsTheSameInAnotherEncoding(t *testing.T) {
	keys := make(map[string]bool)
	for _, text := range []string{
		"name,n\nM\xfcller,1\n", "\xef\xbb\xbfname;n\r\n\"Müller\";1\r\n",
		"\xff\xfen\x00a\x00m\x00e\x00;\x00n\x00\n\x00M\x00\xfc\x00l\x00l\x00e\x00r\x00;\x001\x00\n\x00",
	} {
		r, err := rows.NewReader("a.csv", strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		row, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		keys[row.Key] = true
	}
	if len(keys) != 1 {
		t.Errorf("keys %v, want one", keys)
	}
}
