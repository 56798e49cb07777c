package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/secret"
)

func TestHideTakesRunsOut(t *testing.T) {
	const value = "abcdefghijKLMNOP"
	for text, want := range map[string]string{
		"":                             "",
		"nothing here":                 "nothing here",
		"x abcdefghijKLMNOP y":         "x [redacted] y",
		"x ABCDEFGHIJKLMNOP y":         "x [redacted] y",
		"abcdefgh ijKLMNOP":            "[redacted] [redacted]",
		"cut at its end: abcdefghij":   "cut at its end: [redacted]",
		"abcdefg is too short":         "abcdefg is too short",
		"é cdefghijKL é":               "é [redacted] é",
		"abcdefghijKLMNOPabcdefghijKL": "[redacted][redacted]",
	} {
		if got := secret.NewWords(value).Hide(text, 8); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
	for _, short := range []string{"", "a", "abcd"} {
		if got := secret.NewWords(short).Hide("an abcd x", 8); (got == "an [redacted] x") != (short == "abcd") {
			t.Errorf("of %q %q is left", short, got)
		}
	}
}

// A writing has parts of the others. Whichever is looked for first must not leave the
// rest of the one that is there in pieces, which are too short to be found.
func TestAWritingThatIsWholeLeavesNothing(t *testing.T) {
	const value = `EwB4+Ab/dK==k9ZqWvRtYuIoPaSdF"x&<longlonglonglong/y`
	words := secret.NewWords(secret.Writings(value)...)
	for _, writing := range secret.Quoted(value) {
		if got := words.Hide("it is "+writing+" there", 16); got != "it is [redacted] there" {
			t.Errorf("%s: %s is left", writing, got)
		}
	}
}

func TestWritingsAreFoundWhereverTheyBegin(t *testing.T) {
	const value = `a"<&b/c+d e%fghijklmno`
	quoted, err := json.Marshal(map[string]string{"x": value})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		value, url.Values{"x": {value}}.Encode(), string(quoted), "<p>" + html.EscapeString(value),
		base64.StdEncoding.EncodeToString([]byte(value)), base64.StdEncoding.EncodeToString([]byte("1" + value + "2")),
		base64.StdEncoding.EncodeToString([]byte("12" + value)),
	} {
		hidden := secret.NewWords(secret.Writings(value)...).Hide(text, 8)
		if rest := strings.ReplaceAll(hidden, secret.Redacted, ""); rest == hidden || len(rest) > 10 {
			t.Errorf("%s: %s is left", text, hidden)
		}
	}
}
