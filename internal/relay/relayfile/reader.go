package relayfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/guard"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/spelling"
	"github.com/smtpsend/smtpsend/internal/thirdparty/yaml"
)

// reader takes values out of YAML. It goes on after a problem, and gives the zero value
// for what is wrong. It looks only at keys that are known, so that its depth is theirs.
type reader struct {
	*findings
	values int  // that were looked at, those of an alias each time
	over   bool // they were too many, which was noted
}

// entry is a value with the key that leads to it.
type entry struct {
	key  string
	line int
	node *yaml.Node // not an alias
}

// document is the mapping that the file is.
func (r *reader) document(data []byte) (entry, bool) {
	switch text := string(data); {
	case int64(len(text)) > limits.RelayFile:
		r.problem(entry{}, "", fmt.Sprintf("has %d octets, at most %d", len(text), limits.RelayFile))
		return entry{}, false
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		r.problem(entry{}, "", "is not text in UTF-8")
		return entry{}, false
	case guard.YAML(text) > 2*limits.RelayValues: // comments have signs, too
		r.problem(entry{}, "", fmt.Sprintf("has more than %d lines, commas, colons and brackets (a line that begins with %% counts as a thousand)", 2*limits.RelayValues))
		return entry{}, false
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		r.problem(entry{}, "", "is empty: it must have listeners")
		return entry{}, false
	case err != nil:
		r.syntax(data, err)
		return entry{}, false
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		r.problem(entry{line: second.Line}, "", "begins a second document: the file must be one")
	case !errors.Is(err, io.EOF):
		r.syntax(data, err)
		return entry{}, false
	}
	return r.entry("", doc.Content[0]), true
}

// entry is a node with what leads to it.
func (r *reader) entry(key string, n *yaml.Node) entry {
	r.values++
	e := entry{key, n.Line, n}
	if n.Kind == yaml.AliasNode {
		e.node = n.Alias
	}
	r.lines[key] = e.line
	return e
}

// tooMany notes, once, that an alias brings more values than are read.
func (r *reader) tooMany(e entry) bool {
	over := r.values > limits.RelayValues
	if over && !r.over {
		r.problem(entry{line: e.line}, "", fmt.Sprintf("has more than %d values, with those that aliases repeat", limits.RelayValues))
	}
	r.over = r.over || over
	return over
}

// maxKey is the longest key that is looked at, in octets; those that are known have
// less.
const maxKey = 100

// mapping is the entries of a mapping by their keys, which are the tags of the type of
// like.
func (r *reader) mapping(e entry, like any) map[string]entry {
	if e.node.Kind != yaml.MappingNode {
		r.problem(e, "", "must be a mapping of keys, not "+kindOf(e.node))
		return nil
	}
	known := keysOf(reflect.TypeOf(like))
	found := map[string]entry{}
	for i := 0; i+1 < len(e.node.Content) && !r.tooMany(e); i += 2 {
		name, value := e.node.Content[i], e.node.Content[i+1]
		if len(name.Value) > maxKey { // an alias would repeat it in the keys of all that is below
			r.values++
			r.problem(entry{line: name.Line, key: e.key}, name.Value[:maxKey], "is the beginning of a key that is too long to be one")
			continue
		}
		inner := r.entry(join(e.key, name.Value), value)
		at := entry{inner.key, name.Line, name}
		first, twice := found[name.Value]
		switch {
		case name.Kind != yaml.ScalarNode:
			r.problem(entry{line: name.Line, key: e.key}, "", "has a key that is "+kindOf(name))
		case name.ShortTag() == "!!merge":
			r.problem(at, "", "is not read: write the keys out")
		case twice:
			r.problem(at, "", fmt.Sprintf("is written twice, first in line %d", first.line))
		case !known[name.Value]:
			r.unknown(at, name.Value, known)
		case inner.node.ShortTag() == "!!null":
			r.problem(at, "", "has no value: leave the key out, or write one")
			found[name.Value] = entry{inner.key, name.Line, nil}
		default:
			inner.line = name.Line // that of the value may be further down
			r.lines[inner.key] = name.Line
			found[name.Value] = inner
		}
	}
	return found
}

// unknown notes a key that is not one, with the one that may be meant.
func (r *reader) unknown(e entry, name string, known map[string]bool) {
	words := make([]string, 0, len(known))
	for word := range known {
		words = append(words, word)
	}
	slices.Sort(words)
	asKey := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	if near := spelling.Nearest(asKey, words); near != "" {
		r.problem(e, "", "is not a key here; is "+near+" meant?")
		return
	}
	r.problem(e, "", "is not a key here; these are: "+strings.Join(words, ", "))
}

// list is the entries of the list that m has by the name, none when there is none.
func (r *reader) list(m map[string]entry, name string, most int) []entry {
	e, ok := m[name]
	switch {
	case !ok || e.node == nil:
		return nil
	case e.node.Kind != yaml.SequenceNode:
		r.problem(e, "", "must be a list, not "+kindOf(e.node))
		return nil
	case len(e.node.Content) > most:
		r.problem(e, "", fmt.Sprintf("has %d entries, at most %d", len(e.node.Content), most))
		return nil
	case len(e.node.Content) == 0:
		r.problem(e, "", "is an empty list: leave the key out, or write an entry")
		return nil
	}
	var list []entry
	for i, n := range e.node.Content {
		if r.tooMany(e) {
			return nil
		}
		list = append(list, r.entry(fmt.Sprintf("%s[%d]", e.key, i), n))
	}
	return list
}

// text is the text of a scalar as it is written: 1.20 and 010 are not numbers here.
func (r *reader) text(e entry) (string, bool) {
	if e.node == nil {
		return "", false // noted before
	}
	text, reason := e.node.Value, ""
	switch tag := e.node.ShortTag(); {
	case e.node.Kind != yaml.ScalarNode:
		r.problem(e, "", "must be one value, not "+kindOf(e.node))
		return "", false
	case tag == "!!null":
		reason = "is not a value"
	case e.node.Style&yaml.TaggedStyle != 0:
		reason = "has a tag: write the value alone"
	case text == "" || strings.TrimSpace(text) != text:
		reason = "is empty, or begins or ends with a blank"
	case strings.ContainsFunc(text, notPrinted):
		reason = "has more than one line, or a character that is not printed"
	}
	if n := len(text); n > limits.RelayValue {
		text, reason = text[:limits.RelayValue], fmt.Sprintf("has %d octets, at most %d", n, limits.RelayValue)
	}
	if reason != "" {
		r.problem(e, text, reason)
		return "", false
	}
	return text, true
}

func notPrinted(c rune) bool { return !unicode.IsPrint(c) }

// value is what m has by the name, zero when there is nothing or it is wrong.
func value[T any](r *reader, m map[string]entry, name string, read func(string) (T, string)) T {
	e, ok := m[name]
	if !ok {
		return *new(T)
	}
	return one(r, e, read)
}

// one is the value of one entry.
func one[T any](r *reader, e entry, read func(string) (T, string)) (v T) {
	text, ok := r.text(e)
	if !ok {
		return v
	}
	v, reason := read(text)
	if reason != "" {
		r.problem(e, text, reason)
		return *new(T)
	}
	return v
}

// values are what the list that m has by the name holds, without what is wrong.
func values[T comparable](r *reader, m map[string]entry, name string, read func(string) (T, string)) (all []T) {
	lines := map[T]int{}
	for _, e := range r.list(m, name, limits.RelayList) {
		before := len(r.all.List)
		v := one(r, e, read)
		if len(r.all.List) > before {
			continue
		}
		if first, twice := lines[v]; twice {
			r.problem(e, e.node.Value, fmt.Sprintf("is in this list twice, first in line %d", first))
			continue
		}
		lines[v] = e.line
		all = append(all, v)
	}
	return all
}

// keysOf are the keys of a type, by its tags.
func keysOf(t reflect.Type) map[string]bool {
	keys := map[string]bool{}
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "-" {
			keys[key] = true
		}
	}
	return keys
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// kindOf is what a node is, for people.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return "one value"
}
