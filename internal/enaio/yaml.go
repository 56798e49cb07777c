package enaio

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/smtpsend/smtpsend/internal/guard"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/thirdparty/yaml"
)

// readYAML reads all documents of a file and gives each scalar its path with
// dots, which makes nested and dotted keys the same. A key that is in
// several documents (Spring's profiles) comes out several times. The parser's
// own words are left out of the error: it quotes an unquoted value that begins
// with * as the name of an anchor.
func readYAML(text string) ([]pair, error) {
	if guard.YAML(text) > 4*limits.ImportValues { // texts of several lines have signs, too
		return nil, &SyntaxError{Reason: fmt.Sprintf("has too many lines and entries: at most %d entries are read; export only the mail settings", limits.ImportValues)}
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	w := &yamlWalk{}
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return w.pairs, nil
		}
		if err != nil {
			return nil, &SyntaxError{Reason: "is not YAML: look for tabs, missing quotes around a value that begins with a sign, and indentation"}
		}
		if err := w.walk(&doc, "", 0); err != nil {
			return nil, err
		}
	}
}

type yamlWalk struct {
	pairs pairs
	steps int
}

func (w *yamlWalk) walk(n *yaml.Node, path string, depth int) error {
	if err := w.step(n, depth); err != nil {
		return err
	}
	if len(path) > limits.ImportKey { // each entry below has it
		return &SyntaxError{Line: n.Line, Reason: fmt.Sprintf("has a key of more than %d octets", limits.ImportKey)}
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.walk(n.Alias, path, depth+1)
	case yaml.ScalarNode:
		if n.Tag != "!!null" && path != "" {
			return w.pairs.add(n.Line, pair{key: path, text: n.Value})
		}
	case yaml.MappingNode:
		return w.walkMapping(n, path, depth, map[string]bool{})
	case yaml.DocumentNode, yaml.SequenceNode:
		for i, child := range n.Content {
			name := path
			if n.Kind == yaml.SequenceNode {
				name = fmt.Sprintf("%s[%d]", path, i) // as Spring has it
			}
			if err := w.walk(child, name, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// walkMapping walks the keys of a mapping but those in overridden and then,
// where "<<" merges other mappings into it, what these add to them.
func (w *yamlWalk) walkMapping(n *yaml.Node, path string, depth int, overridden map[string]bool) error {
	var merged []*yaml.Node
	own := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag == "!!merge":
			merged = append(merged, value)
			continue
		case overridden[key.Value]:
			continue
		}
		own[key.Value] = true
		name := key.Value
		if path != "" {
			name = path + "." + name
		}
		if err := w.walk(value, name, depth+1); err != nil {
			return err
		}
	}
	maps.Copy(overridden, own)
	for _, from := range merged {
		if err := w.merge(from, path, depth+1, overridden); err != nil {
			return err
		}
	}
	return nil
}

// merge walks what is after "<<": a mapping, mostly by its alias, or several.
func (w *yamlWalk) merge(n *yaml.Node, path string, depth int, overridden map[string]bool) error {
	if err := w.step(n, depth); err != nil {
		return err
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.merge(n.Alias, path, depth+1, overridden)
	case yaml.MappingNode:
		return w.walkMapping(n, path, depth, overridden)
	case yaml.SequenceNode:
		for _, child := range n.Content {
			if err := w.merge(child, path, depth+1, overridden); err != nil {
				return err
			}
		}
	}
	return nil
}

// step counts the nodes that were looked at.
func (w *yamlWalk) step(n *yaml.Node, depth int) error {
	w.steps++
	if depth > limits.ImportNesting || w.steps > 5*limits.ImportValues {
		return &SyntaxError{Line: n.Line, Reason: "is nested too deeply or repeated too often"}
	}
	return nil
}
