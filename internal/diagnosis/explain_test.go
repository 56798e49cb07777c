package diagnosis_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// pasted is one text of testdata/pastes: a line "=== CODES :: whose words" and
// the text below it.
type pasted struct {
	file, tool, text string
	codes            []string // nil for none
}

func readPastes(t testing.TB) []pasted {
	t.Helper()
	files, err := filepath.Glob("testdata/pastes/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []pasted
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split("\n"+string(data), "\n=== ")[1:] {
			head, text, _ := strings.Cut(block, "\n")
			codes, tool, ok := strings.Cut(head, " :: ")
			if !ok { // a line of the text itself, as swaks prints them
				all[len(all)-1].text += "\n=== " + block
				continue
			}
			p := pasted{file: filepath.Base(file), tool: tool, text: text}
			if codes != "none" {
				p.codes = strings.Split(codes, ",")
			}
			all = append(all, p)
		}
	}
	return all
}

func codesOf(findings []diagnosis.Finding) string {
	var codes []string
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	return strings.Join(codes, ",")
}

// TestPastedTexts requires every text of the corpus, and prints the score.
func TestPastedTexts(t *testing.T) {
	all := readPastes(t)
	right := 0
	for _, p := range all {
		got := codesOf(diagnosis.Explain(p.text, diagnosis.Facts{}))
		if want := strings.Join(p.codes, ","); got != want {
			t.Errorf("%s, %s: named %q, want %q\n%s", p.file, p.tool, got, want, p.text)
			continue
		}
		right++
	}
	t.Logf("%d of %d texts named rightly", right, len(all))
	if len(all) < 200 {
		t.Errorf("%d texts, want at least 200", len(all))
	}
}

// TestSamplesAreExplained walks the catalogue: the words alone name the same
// code as the structured symptom. Words of programs for the network need a host.
func TestSamplesAreExplained(t *testing.T) {
	for _, e := range diagnosis.Entries() {
		if e.Sample == "" {
			continue
		}
		for _, text := range append([]string{e.Sample}, e.Variants...) {
			if e.Fault != "" || !e.ServerCan && e.Token == nil {
				text += "\nsmtp.office365.com:587"
			}
			if got := diagnosis.Explain(text, diagnosis.Facts{}); len(got) == 0 || got[0].Code != e.Code {
				t.Errorf("%s: sample %q is explained as %q", e.Code, text, codesOf(got))
			}
		}
	}
}

func TestExplainACode(t *testing.T) {
	for _, e := range diagnosis.Entries() {
		if got := diagnosis.Explain(" "+e.Code+"\n", diagnosis.Facts{}); codesOf(got) != e.Code {
			t.Errorf("code %s is explained as %q", e.Code, codesOf(got))
		}
	}
}
