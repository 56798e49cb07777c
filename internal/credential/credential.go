// Package credential finds in a text of foreign origin what signs somebody in,
// tokens, passwords, keys and SASL responses, and takes it out.
//
// People paste logs, transcripts, commands and settings, and tools have wrapped,
// quoted and encoded them. So a Found looks at a text as it came, and again
// after each step of decoding; into base64 and hexadecimal it looks itself. What
// it found in any of these forms it takes out of every text that it is given,
// also in pieces of eight octets.
//
// Some finds are sure by their form or their place (a JWT, what follows AUTH
// PLAIN, client_secret="..."), others are likely (what follows the word password
// in a sentence, a long run of letters and digits). Hide takes out the sure ones
// and is for a text that is still to be read by a machine; Scrub takes out all
// and is for what people are shown. Time and space are linear in the length of
// the text.
package credential

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// Redacted is what stands in the place of a credential.
const Redacted = "[redacted]"

// Found is what was found in all texts so far. It is for one goroutine.
type Found struct {
	known     *Runs
	sure, all Runs
	seen      map[string]bool // values, and whether they are sure
	short     []string        // values of less than runLength octets
	size      int
	tokens    []string
	last      string // the last text that was looked at, and what is in it
	inLast    []region
}

// region is a part of a text.
type region struct{ start, end int }

const (
	maxValues  = 8 << 20 // octets of all values
	maxShort   = 64
	shortest   = 4    // octets of a value that is looked for elsewhere
	maxWritten = 1024 // octets of a value that is looked for as others write it
	maxTokens  = 8
)

// New returns a Found that knows nothing. Runs of known are never taken out:
// they are words that are ours.
func New(known *Runs) *Found {
	return &Found{known: known, seen: make(map[string]bool)}
}

// Look looks for credentials in text, and remembers them.
func (f *Found) Look(text string) { f.look(text, 0) }

// LookInto looks for credentials in text, and in what it stands for when it is
// URL-encoded, escaped as in JSON or HTML, or quoted-printable.
func (f *Found) LookInto(text string) {
	f.Look(text)
	for _, plain := range unwrapped(text) {
		f.scan(plain, 1)
	}
}

// Tokens are the JSON Web Tokens that were found, at most eight, for their
// claims. They are credentials themselves.
func (f *Found) Tokens() []string { return f.tokens }

// Part reports whether text holds eight octets in a row of a credential that is
// sure.
func (f *Found) Part(text string) bool { return f.sure.Hold(text) }

// Within looks at text and returns what reports whether the octets from start to
// end are a part, and not the whole, of what is surely a credential or holds
// one. It is to be asked in the order of the text.
func (f *Found) Within(text string) func(start, end int) bool {
	regions := f.look(text, 0)
	slices.SortFunc(regions, func(a, b region) int { return cmp.Compare(a.start, b.start) })
	return func(start, end int) bool {
		for len(regions) > 0 && regions[0].end <= start {
			regions = regions[1:]
		}
		for _, r := range regions {
			if r.start > start {
				return false
			}
			if end <= r.end {
				return r.start < start || end < r.end
			}
		}
		return false
	}
}

// Hide looks at text and returns it without what is surely a credential.
func (f *Found) Hide(text string) string {
	regions := f.look(text, 0)
	return cut(text, slices.Concat(regions, f.sure.in(text, false)))
}

// Scrub looks at text and returns it without all that may be a credential.
func (f *Found) Scrub(text string) string {
	regions := f.look(text, 0)
	return cut(text, slices.Concat(regions, f.all.in(text, false), f.shortIn(text)))
}

// Remove returns text without all that was found so far, but looks for nothing
// in it: it is for our own sentences.
func (f *Found) Remove(text string) string {
	return cut(text, f.all.in(text, false))
}

// cut puts Redacted in the place of regions, which may overlap.
func cut(text string, regions []region) string {
	if len(regions) == 0 {
		return text
	}
	slices.SortFunc(regions, func(a, b region) int { return cmp.Compare(a.start, b.start) })
	var b strings.Builder
	done := 0
	for i := 0; i < len(regions); {
		start, end := regions[i].start, regions[i].end
		for i++; i < len(regions) && (regions[i].start <= end || leftOver(text[end:regions[i].start])); i++ {
			end = max(end, regions[i].end)
		}
		for start > done && start < len(text) && !utf8.RuneStart(text[start]) {
			start--
		}
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		if m := padding().FindStringSubmatch(part(text, end, 4)); m != nil {
			end += len(m[1])
		}
		b.WriteString(text[done:start])
		b.WriteString(Redacted)
		done = end
	}
	b.WriteString(text[done:])
	return b.String()
}

// padding is that of base64.
var padding = lazyregexp.New(`^(={1,2})(?:$|[^=A-Za-z0-9])`)

// leftOver reports what stands between two regions and is most likely a piece of
// the credential that was broken there, or nothing but line ends.
func leftOver(between string) bool {
	if len(between) >= runLength+4 {
		return false
	}
	for i := range len(between) {
		if c := between[i]; !ofToken(c) && c != '\n' && c != '\r' && c != '=' {
			return false
		}
	}
	return true
}

// shortIn are the places of short values that stand as words of their own.
func (f *Found) shortIn(text string) []region {
	var out []region
	for _, value := range f.short {
		for from := 0; ; {
			i := strings.Index(text[from:], value)
			if i < 0 {
				break
			}
			start := from + i
			from = start + len(value)
			if (start == 0 || !alnum(text[start-1])) && (from == len(text) || !alnum(text[from])) {
				out = append(out, region{start, from})
			}
		}
	}
	return out
}

// add remembers a value, and how others may write it.
func (f *Found) add(value string, sure bool) {
	value = strings.TrimSpace(value)
	if len(value) < shortest || f.size+len(value) > maxValues {
		return
	}
	if was, ok := f.seen[value]; ok && (was || !sure) {
		return
	}
	f.seen[value] = sure
	f.put(value, sure)
	if len(value) <= maxWritten {
		for _, other := range writings(value) {
			f.put(other, sure)
		}
	}
}

func (f *Found) put(value string, sure bool) {
	if len(value) < runLength {
		if len(value) >= shortest && len(f.short) < maxShort && !slices.Contains(f.short, value) && !word(value) {
			f.short = append(f.short, value)
		}
		return
	}
	f.size += len(value)
	f.all.add(value, f.known)
	if sure {
		f.sure.add(value, f.known)
	}
}

// contain remembers the encoded form of a text that holds a credential. It is
// not one itself: what else it holds may be shown.
func (f *Found) contain(value string) {
	if f.size+len(value) <= maxValues {
		f.size += len(value)
		f.all.add(value, f.known)
	}
}

// addToken remembers a JWT.
func (f *Found) addToken(value string) {
	if len(f.tokens) < maxTokens && strings.Count(value, ".") > 1 && !slices.Contains(f.tokens, value) {
		f.tokens = append(f.tokens, value)
	}
	f.add(value, true)
}

// writings are a value as others write it, and the value that such a form
// stands for.
func writings(value string) []string {
	quoted, _ := json.Marshal(value) // of a string, which cannot fail
	all := []string{
		url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`), html.EscapeString(value), hex.EncodeToString([]byte(value)),
		html.UnescapeString(value), backslashes.Replace(value), strings.ReplaceAll(value, "''", "'"),
	}
	for plain, n := value, 0; n < 3; n++ {
		next, err := url.QueryUnescape(plain)
		if err != nil || next == plain {
			break
		}
		literal, _ := url.PathUnescape(plain)
		all, plain = append(all, next, literal), next
	}
	for before := range 3 {
		all = append(all, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte("   "[:before] + value))[4:], "="))
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(other string) bool { return other == value })
}

// backslashes undoes the escapes of strings in programs and JSON.
var backslashes = strings.NewReplacer(`\"`, `"`, `\'`, `'`, `\\`, `\`, `\/`, `/`, `\$`, `$`, `\&`, `&`, "`", "")
