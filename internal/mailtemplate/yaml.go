package mailtemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smtpsend/smtpsend/internal/datavalue"
	"github.com/smtpsend/smtpsend/internal/guard"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/thirdparty/yaml"
)

// parseYAML reads one mapping. Keys are texts as they are written, on every level,
// so that data is the same whether it comes as YAML or as JSON.
func parseYAML(text string) (map[string]any, error) {
	if n := guard.YAML(text); n > signsOfAll {
		return nil, fmt.Errorf("has more than %d lines, commas, colons and brackets, of which values are made (a line that begins with %% counts as a thousand); as JSON it may have more text", signsOfAll)
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return map[string]any{}, nil
	} else if err != nil {
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, errors.New("more than one document"))
	}
	root := doc.Content[0]
	if root.ShortTag() == "!!null" {
		return map[string]any{}, nil
	}
	d := &yamlDecoder{}
	value, err := d.value(root, 0)
	if err != nil {
		return nil, err
	}
	data, ok := value.(map[string]any)
	if !ok {
		return nil, errNotMapping
	}
	return data, nil
}

// signsOfAll leaves room for texts of several lines, whose signs make no values.
const signsOfAll = 4 * limits.DataValues

// errNotMapping says that data has no names.
var errNotMapping = errors.New(notMapping)

// yamlDecoder makes values of nodes. The library's own decoder gives maps of any
// kind of key, and compares each key of a mapping with each other.
type yamlDecoder struct {
	values int
}

// value counts what it makes, with what an alias is for each time.
func (d *yamlDecoder) value(n *yaml.Node, depth int) (any, error) {
	if d.values++; d.values > limits.DataValues {
		return nil, fmt.Errorf("line %d: more than %d values", n.Line, limits.DataValues)
	}
	if depth > limits.DataNesting {
		return nil, fmt.Errorf("line %d: nested more than %d deep", n.Line, limits.DataNesting)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.value(n.Alias, depth+1)
	case yaml.MappingNode:
		return d.mapping(n, depth)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if list[i], err = d.value(item, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return scalar(n)
}

// scalar is a value as it is written. YAML would read 01067 as octal, 1.10 as 1.1 and
// 2026-12-24 as a time; those who wrote them want them in the mail as they are. What is a
// number in JSON is the same number here, and all else is text, but for true, false
// and null.
func scalar(n *yaml.Node) (any, error) {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return boolean(n)
	case "!!binary":
		var v any
		err := n.Decode(&v)
		return v, err
	default:
		const marked = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle | yaml.TaggedStyle
		mayBeNumber := n.Style&marked == 0 || tag == "!!int" || tag == "!!float"
		if mayBeNumber && datavalue.IsNumeral(n.Value) {
			return json.Number(n.Value), nil
		}
		return n.Value, nil
	}
}

// boolean is true or false, which are printed as they are written.
func boolean(n *yaml.Node) (any, error) {
	var is bool
	if err := n.Decode(&is); err != nil {
		return nil, err
	}
	return datavalue.Bool(is, n.Value), nil
}

func (d *yamlDecoder) mapping(n *yaml.Node, depth int) (map[string]any, error) {
	m := make(map[string]any, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		name, err := d.key(key)
		if err != nil {
			return nil, err
		}
		if first, twice := lines[name]; twice {
			return nil, fmt.Errorf("line %d: mapping key %q already defined at line %d", key.Line, name, first)
		}
		lines[name] = key.Line
		if m[name], err = d.value(value, depth+1); err != nil {
			return nil, err
		}
	}
	for _, from := range merged {
		if err := d.merge(m, from, depth+1); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// key is the text of a key.
func (d *yamlDecoder) key(n *yaml.Node) (string, error) {
	d.values++
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("line %d: a key is a list or a mapping, not a text", n.Line)
	}
	return n.Value, nil
}

// merge adds what "<<" brings to the keys that a mapping has itself: a mapping, or
// a list of them, of which the first has the last word.
func (d *yamlDecoder) merge(into map[string]any, from *yaml.Node, depth int) error {
	value, err := d.value(from, depth)
	if err != nil {
		return err
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return fmt.Errorf("line %d: << is before something that is not a mapping", from.Line)
		}
		for name, v := range m {
			if _, own := into[name]; !own {
				into[name] = v
			}
		}
	}
	return nil
}
