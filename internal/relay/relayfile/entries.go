package relayfile

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"github.com/smtpsend/smtpsend/internal/thirdparty/yaml"
)

// Entries returns lines of a settings file for the list that the entries belong in:
// what is after "clients:", "listeners:" or "senders:". Values are quoted where they
// must be, and what is zero is left out, so that Parse reads the same again, but for
// the lines' numbers. There is no text for no entry.
func Entries[T Listener | Client | SenderRule](entries ...T) (string, error) {
	if len(entries) == 0 {
		return "", nil
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, e := range entries {
		list.Content = append(list.Content, mappingOf(reflect.ValueOf(e)))
	}
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	if err := enc.Encode(list); err != nil {
		return "", fmt.Errorf("writing entries: %w", err)
	}
	var lines strings.Builder
	for line := range strings.Lines(text.String()) {
		lines.WriteString("  " + line)
	}
	return lines.String(), nil
}

// mappingOf is the mapping of a type with tags.
func mappingOf(v reflect.Value) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		key, field := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
		_, isSender := field.Interface().(Sender) // whose zero value is the null reverse-path
		unset := field.IsZero() && !isSender
		if key == "-" || unset {
			continue
		}
		m.Content = append(m.Content, scalarOf(key), nodeOf(field))
	}
	return m
}

// nodeOf is a value as Parse reads it.
func nodeOf(v reflect.Value) *yaml.Node {
	switch x := v.Interface().(type) {
	case netip.Prefix:
		return scalarOf(networkText(x))
	case fmt.Stringer: // before the kinds: types of ours that are not what they are made of
		if v.Kind() != reflect.Slice {
			return scalarOf(x.String())
		}
	}
	switch v.Kind() {
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range v.Len() {
			list.Content = append(list.Content, nodeOf(v.Index(i)))
		}
		return list
	case reflect.Struct:
		return mappingOf(v)
	case reflect.String:
		return scalarOf(v.String())
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v.Interface())} // a number, or true
}

// scalarOf is a text, which the encoder quotes where it must.
func scalarOf(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}
