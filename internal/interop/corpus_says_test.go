//go:build linux

package interop_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// pair is a message as it was written and as it left, in two files.
type pair struct {
	name    string
	was, is string

	unknown  bool // its header has octets that are not UTF-8
	eightBit bool // it has octets above 127
	local    bool // see localAuthor
}

// saysTheSame has three parsers read what was written and what left. What left
// on the other roads is read only where it is not the same.
func saysTheSame(t *testing.T, all []specimen, ours [][]submitted) {
	need(t, "python3", "perl")
	var pairs []pair
	var was, is []string
	dir := t.TempDir()
	for i, s := range all {
		want := model(s.raw)
		header, _ := splitHeader(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")))
		for road := range roads {
			content := ours[i][road].content
			_, same := added(content, want)
			asBefore := same && road != roadRecipient
			if content == nil || asBefore {
				continue
			}
			p := pair{
				name: s.name + ", " + roads[road].name, unknown: !utf8.Valid(header), eightBit: eightBit(want), local: localAuthor(want),
				was: keepFor(t, dir, fmt.Sprintf("%d.%d.was", i, road), want),
				is:  keepFor(t, dir, fmt.Sprintf("%d.%d.is", i, road), content),
			}
			pairs, was, is = append(pairs, p), append(was, p.was), append(is, p.is)
		}
	}
	for _, parser := range corpusParsers {
		written, left := parseAll(t, parser.command(t), was), parseAll(t, parser.command(t), is)
		unread := 0
		for i, p := range pairs {
			if written[i].Error != "" {
				unread++
			}
			for _, d := range p.differences(parser, written[i], left[i]) {
				t.Errorf("%s: %s: %s", parser.name, p.name, d)
			}
		}
		t.Logf("%s: read %d messages, and could not read %d", parser.name, len(pairs)-unread, unread)
		if unread*20 > len(pairs) {
			t.Errorf("%s could not read %d of %d messages", parser.name, unread, len(pairs))
		}
	}
}

// differences are those that a parser finds and that are not its own fault.
func (p pair) differences(parser corpusParser, written, left said) []string {
	for _, m := range misread {
		if m.parser == parser.name && strings.Contains(p.name, m.name) {
			return nil
		}
	}
	if p.local { // see wrongOctets
		written.Fields = slices.DeleteFunc(written.Fields, func(f [2]string) bool { return f[0] == "from" })
	}
	return differences(written, left, p.unknown || parser.guesses && p.eightBit)
}
