package enaio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/enaio"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// numbered repeats a text with a %d in it up to a size.
func numbered(format string, size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()[:size]
}

const regHead = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\OPTIMAL SYSTEMS]\n"

// TestImportsOfManyEntriesAreRefused: each was once read whole, at a millisecond an
// entry.
func TestImportsOfManyEntriesAreRefused(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a.reg":            {regHead + numbered("\"k%d\"=\"v\"\n", 3<<20), "is one entry too many: at most 20000 are read"},
		"a.properties":     {numbered("k%d=v\n", 3<<20), "is one entry too many: at most 20000 are read"},
		"lines.properties": {strings.Repeat("\n", limits.Import), "does not contain a mail setting"},
		"cont.properties":  {"a=" + strings.Repeat("\\\n", limits.Import/2-1), "does not contain a mail setting"},
		"lines.reg":        {regHead + strings.Repeat("\n", 3<<20), "does not contain a mail setting"},
		"text.reg":         {regHead + "\"a\"=\"" + strings.Repeat("\n", 3<<20), "has a value that cannot be read"},
		"hex.reg":          {regHead + "\"a\"=hex(2):" + strings.Repeat("00,\\\n", 500_000) + "00", "does not contain a mail setting"},
		"a.yml":            {numbered("k%d: v\n", 3<<20), "has too many lines and entries"},
		"tags.yml":         {numbered("%%TAG !a%d! x\n", 1<<20) + "---\na: 1", "has too many lines and entries"},
		"flow.yml":         {"a: [" + strings.Repeat("0,", 1<<20) + "]", "has too many lines and entries"},
		"keys.yml":         {"? " + strings.Repeat("k", 1<<20) + "\n: [" + strings.Repeat("0,", 10_000) + "]", "has a key of more than 1024 octets"},
		"text.yml":         {"a: |\n" + strings.Repeat("  x\n", 10_000), "does not contain a mail setting"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := enaio.Import(t.Context(), name, []byte(tt.text))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 80<<20 {
			t.Errorf("%s: %d MB were taken", name, taken>>20)
		}
	}
}

// TestImportLooksEachNameUpOnce: a name was once compared with each of all settings,
// which were made ready for it each time: 20,000 names took 18 seconds and as many
// gigabytes.
func TestImportLooksEachNameUpOnce(t *testing.T) {
	var text strings.Builder
	text.WriteString(regHead + "\"MailSender\"=\"a@contoso.example\"\n")
	for i := range 19_000 {
		fmt.Fprintf(&text, "\"Other%d\"=\"v\"\n", i)
	}
	data := []byte(text.String())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in, err := enaio.Import(t.Context(), "a.reg", data)
	runtime.ReadMemStats(&after)
	if err != nil || in.Value("MAIL_SENDER").Reveal() != "a@contoso.example" {
		t.Fatal(err)
	}
	if n := len(in.Problems); n != 101 || in.Problems[100].Text != "18900 other entries, not about mail, were left out" {
		t.Errorf("%d problems, %v", n, in.Problems[n-1])
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 50<<20 {
		t.Errorf("%d MB were taken", taken>>20)
	}
}

func TestImportEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	if _, err := enaio.Import(ctx, "a.properties", []byte("smtpServer=a.example\n")); !errors.Is(err, why) {
		t.Error(err)
	}
}
