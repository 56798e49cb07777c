package mailtemplate_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheManualsTemplatesWriteWhatItSays runs every template of its tables.
func TestTheManualsTemplatesWriteWhatItSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/outbox.md")
	if err != nil {
		t.Fatal(err)
	}
	part := func(name, end string) string {
		_, after, found := strings.Cut(string(page), "<!-- "+name+" -->\n")
		text, _, ended := strings.Cut(after, end)
		if !found || !ended {
			t.Fatalf("outbox.md has no %s", name)
		}
		return text
	}
	data := parsed(t, strings.TrimPrefix(part("template-data", "\n```\n"), "```json\n"))
	code := regexp.MustCompile("`([^`]+)`")
	tried := 0
	each := func(name string, check func(template, cell string)) {
		for row := range strings.Lines(part(name, "<!-- /"+name)) {
			cells := strings.Split(strings.TrimSpace(row), " | ")
			if len(cells) != 2 || !strings.Contains(row, "`") {
				continue
			}
			for _, template := range code.FindAllStringSubmatch(cells[0], -1) {
				tried++
				check(template[1], strings.Trim(strings.TrimSuffix(cells[1], " |"), "`"))
			}
		}
	}
	each("template-results", func(template, want string) {
		file := "m.txt"
		if strings.Contains(template, "<a") {
			file = "m.html"
		}
		if d, err := fill(t, file, template, data); err != nil || d.Text+d.HTML != want {
			t.Errorf("%s: %q, %v, want %q", template, d.Text+d.HTML, err, want)
		}
	})
	each("template-errors", func(template, want string) {
		for _, file := range []string{"m.txt", "m.html"} {
			if d, err := fill(t, file, template, data); (file == "m.html" || !strings.Contains(template, "<")) && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %q, %v, want %q", template, d.Text+d.HTML, err, want)
			}
		}
	})
	if tried < 25 {
		t.Errorf("only %d templates were found", tried)
	}
}
