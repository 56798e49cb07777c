package mimetext_test

import (
	"mime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

var anyLine = rapid.StringOf(rapid.RuneFrom([]rune("abZ09 \t=?_.,;:\"\\()<>@äßЖשع日😀\u00a0\u200d")))

// unfold undoes folding as RFC 5322 2.2.3 says.
func unfold(t *rapid.T, field string) string {
	text, ok := strings.CutSuffix(field, "\r\n")
	if !ok {
		t.Fatalf("%q does not end a line", field)
	}
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 998 || strings.Trim(line, " \t") == "" {
			t.Errorf("line %q", line)
		}
	}
	return strings.ReplaceAll(text, "\r\n", "")
}

func TestFieldDecodesToItsValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyLine.Draw(t, "value") + rapid.SampledFrom([]string{"", " ", "  x", strings.Repeat("w", 950), strings.Repeat("Ж", 300)}).Draw(t, "end")
		field := mimetext.Field("Subject", want)
		got, err := new(mime.WordDecoder).DecodeHeader(strings.TrimPrefix(unfold(t, field), "Subject: "))
		if err != nil || got != want {
			t.Errorf("%q became %q, which is %q, %v", want, field, got, err)
		}
		if strings.HasPrefix(field, "Subject:\r\n") {
			t.Errorf("%q is folded behind its name", field)
		}
		for line := range strings.SplitSeq(field, "\r\n") {
			if strings.Contains(line, "=?") && len(line) > 76 {
				t.Errorf("line of %d octets with an encoded word: %q", len(line), line)
			}
		}
	})
}

func TestEncodedWordsTakeTheShorterEncoding(t *testing.T) {
	for in, want := range map[string]string{
		"Über 3 Orte": "=?utf-8?q?=C3=9Cber_3_Orte?=",
		"日本語":         "=?utf-8?b?5pel5pys6Kqe?=",
		"a_b ?=":      "=?utf-8?b?YV9iID89?=",
	} {
		if got := strings.Join(mimetext.EncodedWords(in, mimetext.WordRoom), " "); got != want {
			t.Errorf("%q became %s, want %s", in, got, want)
		}
	}
}

func TestFileNamesDecodeInBothForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := mimetext.CleanName(anyLine.Draw(t, "name") + rapid.SampledFrom([]string{".pdf", strings.Repeat("ü", 60), strings.Repeat("x", 80)}).Draw(t, "end"))
		parameter := mimetext.FileNameParameter(want)
		_, params, err := mime.ParseMediaType(strings.ReplaceAll("attachment"+parameter, "\r\n", ""))
		if err != nil || params["filename"] != want {
			t.Errorf("%q became %q, which is %q, %v", want, parameter, params["filename"], err)
		}
		_, params, err = mime.ParseMediaType(strings.ReplaceAll("text/plain; name="+mimetext.LegacyName(want), "\r\n", ""))
		if name := mimetext.DecodeWords(params["name"]); err != nil || name != want {
			t.Errorf("%q became %q, which is %q, %v", want, mimetext.LegacyName(want), name, err)
		}
		for line := range strings.SplitSeq(parameter, "\r\n") {
			if len(line) > 78 {
				t.Errorf("line of %d octets: %q", len(line), line)
			}
		}
	})
}

func TestToUTF8ReadsOldAndWideTexts(t *testing.T) {
	for in, want := range map[string]string{
		"Gr\xfc\xdfe \x80 ü":               "Grüße € ü",
		"\xef\xbb\xbfa":                    "a",
		"\xff\xfeG\x00r\x00\xfc\x00\r\x00": "Grü\r",
		"\xfe\xff\x00G\x00r\x00\xfc":       "Grü",
		"日本":                               "日本",
	} {
		if got := mimetext.ToUTF8(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestNormaliseLinesMakesEveryEndCRLF(t *testing.T) {
	for in, want := range map[string]string{"a\nb\r\nc\rd": "a\r\nb\r\nc\r\nd", "\r\r\n\n": "\r\n\r\n\r\n", "x": "x", "": ""} {
		if got := mimetext.NormaliseLines(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestFitsSevenBit(t *testing.T) {
	for in, want := range map[string]bool{
		"a = b\r\n\tc\r\n": true, strings.Repeat("x", 78) + "\r\n": true, "": true,
		strings.Repeat("x", 79): false, "a \r\nb": false, "a\t": false, "ü": false, "a\x1b[0m": false, "a\nb": false,
	} {
		if got := mimetext.FitsSevenBit(in); got != want {
			t.Errorf("FitsSevenBit(%q) = %v", in, got)
		}
	}
}

func TestDisplayNameQuotesOnlyWhatNeedsIt(t *testing.T) {
	for in, want := range map[string]string{
		"Ann Lee": "Ann Lee", "Lee, Ann": `"Lee, Ann"`, "Dr. Lee": `"Dr. Lee"`, `a"b\c`: `"a\"b\\c"`,
		"Jörg": "=?utf-8?b?SsO2cmc=?=", "=?x?q?y?=": "=?utf-8?b?PT94P3E/eT89?=",
	} {
		if got := mimetext.DisplayName(in); got != want {
			t.Errorf("DisplayName(%q) = %s, want %s", in, got, want)
		}
	}
}
