package paste_test

import (
	"encoding/hex"
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/paste"
)

// layers are what tools do to a text on its way into a paste. Quoted-printable,
// which mail programs undo, is not put into others.
var layers = []func(text string) string{
	func(text string) string { return text },
	b64,
	func(text string) string { return lined(b64(text), 76, "\r\n", "") },
	func(text string) string { return lined(b64(text), 64, "\n", "> ") },
	url.QueryEscape,
	func(text string) string { return asJSON(text, 1) },
	html.EscapeString,
	func(text string) string { return "Content-Transfer-Encoding: quoted-printable\n\n" + softBreaks(text) },
	func(text string) string { return hex.EncodeToString([]byte(text)) },
	dump,
	hexdump,
	func(text string) string {
		stamp := "2026-11-30T08:00:01.123Z app[4711]: "
		return stamp + strings.ReplaceAll(text, "\n", "\n"+stamp)
	},
	func(text string) string { return "> " + strings.ReplaceAll(text, "\n", "\n> ") },
	func(text string) string {
		return "<pre>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + "</pre>"
	},
	func(text string) string { return `{"message":` + asJSON(text, 1) + `,"level":"error"}` },
	func(text string) string { return b64(utf16LE(text)) },
	func(text string) string {
		return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	},
	func(text string) string { return "\x1b[31m" + text + "\x1b[0m" },
}

const printable = 7 // quoted-printable among the layers

// FuzzNoCredentialComesBack wraps a paste in layers, puts it behind an error, and
// looks for the credentials in all that is shown.
func FuzzNoCredentialComesBack(f *testing.F) {
	names := slices.Sorted(maps.Keys(pasteForms(newSecrets(0))))
	own := ownWords(f)
	for i := range names {
		f.Add(uint64(i), uint16(i), []byte{byte(i % len(layers)), byte(i / len(layers))})
	}
	f.Fuzz(func(t *testing.T, seed uint64, form uint16, through []byte) {
		s := newSecrets(seed)
		name := names[int(form)%len(names)]
		text := pasteForms(s)[name]
		way := name
		for i, layer := range through[:min(len(through), 2)] {
			n := int(layer) % len(layers)
			if i == 0 && len(through) > 1 && (n == printable || n == int(through[1])%len(layers)) {
				continue
			}
			text = layers[n](text)
			way += " " + string(rune('a'+n))
		}
		text = "S: " + refusedReply + "\n" + text
		output := everything(t, paste.Explain(text, diagnosis.Facts{}))
		all := shownBy(output)
		for _, secret := range s.all() {
			if part := all.leaked(own, secret); part != "" {
				t.Fatalf("%s: %q of a secret comes back:\n%.3000s\nof\n%.3000s", way, part, output, text)
			}
		}
	})
}
