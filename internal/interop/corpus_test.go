//go:build linux

package interop_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCorpus sends real messages by others on every road. Postfix judges who
// gets each, three parsers what it says, and the octets that left are looked at.
func TestCorpus(t *testing.T) {
	var all []specimen
	for i, s := range loadCorpus(t) {
		if i%sparse == 0 {
			all = append(all, s)
		}
	}
	theirs := startPostfixQueue(t).judge(t, all)
	ours := submitCorpus(t, all)
	t.Run("who gets it", func(t *testing.T) { sameRecipients(t, all, ours, theirs) })
	t.Run("refusals", func(t *testing.T) { shortOfRefusals(t, all, ours) })
	t.Run("octets", func(t *testing.T) { rightOctets(t, all, ours) })
	t.Run("what it says", func(t *testing.T) { saysTheSame(t, all, ours) })
}

// sameRecipients compares `sendmail -t` with Postfix's.
func sameRecipients(t *testing.T, all []specimen, ours [][]submitted, theirs []judgement) {
	for i, s := range all {
		us, them := ours[i][roadT], theirs[i]
		if us.err != nil || them.err != nil {
			t.Errorf("%s: %v, %v", s.name, us.err, them.err)
		} else if !slices.Equal(us.to, them.to) && !refusedFor(us, neither) {
			t.Errorf("%s: to %q, Postfix to %q\nexit code %d: %.300s", s.name, us.to, them.to, us.code, us.stderr)
		}
		if fromArguments := ours[i][roadRecipient]; fromArguments.code == 0 && !slices.Equal(fromArguments.to, []string{corpusRecipient}) {
			t.Errorf("%s: to %q with a recipient as an argument", s.name, fromArguments.to)
		}
	}
}

// refusal is a reason for which a message of the corpus may be refused.
type refusal struct {
	code  int
	words *regexp.Regexp
	roads []int // nil: every one
}

// neither are reasons that cannot be held against Postfix's judgement: what
// RFC 5321 has no room for, and Postfix changes without a word.
var neither = []refusal{
	{65, regexp.MustCompile(`\bNUL\b`), nil},
	{65, regexp.MustCompile(`the message is signed or encrypted`), nil}, // and has a line over 998 octets, or octets above 127 that the server does not take
}

// refusals are all of them.
var refusals = append(slices.Clone(neither), []refusal{
	{65, regexp.MustCompile(`no recipient in To, Cc or Bcc \(-t\)`), []int{roadT}}, // sameRecipients has who Postfix finds
	{64, regexp.MustCompile(`no recipient: use --to`), []int{roadMessage}},
	{65, regexp.MustCompile(`--message "-": From ".*": `), []int{roadMessage}}, // nobody can answer an author that is not an address
	{65, regexp.MustCompile(`recipient ".*": no @ and domain`), []int{roadMessage}},
	{67, regexp.MustCompile(`501 Error: Bad recipient address syntax`), nil}, // by smtp-server, Postfix's recipient too
}...)

func refusedFor(s submitted, reasons []refusal) bool {
	return slices.ContainsFunc(reasons, func(r refusal) bool { return s.code == r.code && r.words.MatchString(s.stderr) })
}

// shortOfRefusals holds what did not leave against the list.
func shortOfRefusals(t *testing.T, all []specimen, ours [][]submitted) {
	for i, s := range all {
		for road := range roads {
			got := ours[i][road]
			accepted := got.err == nil && got.code == 0 && got.times == 1
			allowed := slices.DeleteFunc(slices.Clone(refusals), func(r refusal) bool { return r.roads != nil && !slices.Contains(r.roads, road) })
			refused := got.err == nil && got.times == 0 && refusedFor(got, allowed)
			if !accepted && !refused {
				t.Errorf("%s, %s: arrived %d times: %v\n%.400v", s.name, roads[road].name, got.times, got.err, got.result)
			}
		}
	}
}

// rightOctets: what is signed, and what needs no other encoding, leaves byte for
// byte; the rest leaves in 7 bits and in lines that RFC 5322 allows.
func rightOctets(t *testing.T, all []specimen, ours [][]submitted) {
	kept := 0
	for i, s := range all {
		want := model(s.raw)
		exact := signed(want) || !eightBit(want) && !longLine(want)
		for road := range roads {
			content := ours[i][road].content
			if content == nil {
				continue
			}
			if exact {
				kept++
			}
			if ours[i][road].utf8 {
				content = withoutAddresses(content)
			}
			for _, wrong := range wrongOctets(content, want, exact) {
				t.Errorf("%s, %s: %s", s.name, roads[road].name, wrong)
			}
		}
	}
	t.Logf("%d messages had to leave byte for byte", kept)
}

// rawAddress is an address whose local part is not ASCII: it has no other form,
// and goes with SMTPUTF8.
var rawAddress = regexp.MustCompile(`[^\s<>,;:"()]*[^\x00-\x7f][^\s<>,;:"()]*@[^\s<>,;:"()]+`)

// withoutAddresses has no such addresses in its header section.
func withoutAddresses(content []byte) []byte {
	header, body := splitHeader(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
	return slices.Concat(rawAddress.ReplaceAll(header, nil), body)
}

// onTop are the fields that smtpsend adds to a message without them.
var onTop = []string{"from", "date", "message-id"}

func wrongOctets(content, want []byte, exact bool) (wrong []string) {
	if longLine(content) {
		wrong = append(wrong, "a line over 998 octets left")
	}
	if !exact {
		if at := bytes.IndexFunc(content, func(r rune) bool { return r > 127 }); at >= 0 {
			wrong = append(wrong, fmt.Sprintf("octet %d is above 127: %q", at, content[max(0, at-30):min(len(content), at+30)]))
		}
		return wrong
	}
	if localAuthor(want) { // is replaced by an address (docs/manual.md)
		content, want = withoutFrom(content), withoutFrom(want)
	}
	names, same := added(content, want)
	if !same {
		return append(wrong, "octets were changed: "+firstChange(content, want))
	}
	for _, name := range names {
		if !slices.Contains(onTop, name) {
			wrong = append(wrong, "the field "+name+" was added")
		}
	}
	return wrong
}

// localAuthor reports a From without an address that has a domain.
func localAuthor(content []byte) bool {
	header, _ := splitHeader(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
	for _, f := range fieldsOf(header) {
		if nameOf(f) == "from" {
			return !strings.Contains(string(f), "@")
		}
	}
	return false
}

func withoutFrom(content []byte) (rest []byte) {
	header, body := splitHeader(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
	for _, f := range fieldsOf(header) {
		if nameOf(f) != "from" {
			rest = append(rest, f...)
		}
	}
	return append(rest, body...)
}

// firstChange is where two messages differ, from their ends.
func firstChange(content, want []byte) string {
	i, j := len(content), len(want)
	for i > 0 && j > 0 && content[i-1] == want[j-1] {
		i, j = i-1, j-1
	}
	return fmt.Sprintf("%q, want %q", content[max(0, i-40):min(len(content), i+20)], want[max(0, j-40):min(len(want), j+20)])
}
