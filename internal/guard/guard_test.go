package guard_test

import (
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/smtpsend/smtpsend/internal/guard"
)

func TestJSONCountsValuesAndDepth(t *testing.T) {
	for text, want := range map[string][2]int{
		"1": {1, 0}, `{}`: {2, 1}, `{"a": 1}`: {3, 1}, `[1, [2, {"x": "y"}]]`: {7, 3},
		`{"a,b:[{\"": "c\\"}`: {3, 1}, `"`: {1, 0}, `"\`: {1, 0}, `[[[`: {4, 3}, `]]]{`: {2, 0},
	} {
		if values, depth := guard.JSON(text); values != want[0] || depth != want[1] {
			t.Errorf("%s: %d values, depth %d, want %v", text, values, depth, want)
		}
	}
}

func TestYAMLCountsSigns(t *testing.T) {
	for text, want := range map[string]int{
		"": 1, "a: b": 2, "a: b\nc: d\n": 5, "- a\n- b": 4, "a: [b, c]": 4, "a: 07:00:00 x-y": 2, "{\"a\":b}": 3, "?\n": 3,
		"%TAG !a! x\n---\n50 %": 1004, "50\u00a0%": 1, "\ufeff%A\u2028%B": 2001,
	} {
		if got := guard.YAML(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// nodes counts what yaml made of a text.
func nodes(n *yaml.Node) int {
	sum := 1
	for _, c := range n.Content {
		sum += nodes(c)
	}
	return sum
}

// FuzzYAML: no text becomes more than twice as many nodes as it was said to, but
// for the document and its root.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"a: b", "? ? ?", "- - -\n-", "[a: b, c, {d: e}, ? , :x]", "'a':b", "{'a':b,\"c\":[]}", "a: |\n  b\n", "&a *a", "!a b\r- c", "\xc2\x85- a\xe2\x80\xa8b: c", "?\u0085?\u0085?\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var doc yaml.Node
		if yaml.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		if n, signs := nodes(&doc), guard.YAML(text); n > 2*signs+2 {
			t.Fatalf("%q has %d nodes, %d signs", text, n, signs)
		}
	})
}

// FuzzJSON: lists of lists have no more values, and as many levels, as was said.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a": [1, "b\"", {}]}`, `[]`, `"\u0000"`, `[[],{"a":null}]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil || strings.Contains(text, "{") {
			return // names that come twice are one value
		}
		n, levels := count(v)
		if values, depth := guard.JSON(text); values < n || depth != levels {
			t.Fatalf("%q: %d values, depth %d, not %d and %d", text, values, depth, n, levels)
		}
	})
}

func count(v any) (values, depth int) {
	values = 1
	list, ok := v.([]any)
	if ok {
		depth = 1
	}
	for _, item := range list {
		n, d := count(item)
		values, depth = values+n, max(depth, d+1)
	}
	return values, depth
}
