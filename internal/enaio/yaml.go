package enaio

import (
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of a YAML file, against aliases that multiply.
const (
	maxDepth = 64
	maxPairs = 100_000
)

// readYAML reads all documents of a file and gives each scalar its path with
// dots, which makes nested and dotted keys the same. A key that stands in
// several documents (Spring's profiles) comes out several times. The parser's
// own words are left out of the error: it quotes an unquoted value that begins
// with * as the name of an anchor.
func readYAML(text string) ([]pair, error) {
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
	pairs []pair
	steps int
}

func (w *yamlWalk) walk(n *yaml.Node, path string, depth int) error {
	w.steps++
	if depth > maxDepth || w.steps > maxPairs {
		return &SyntaxError{Line: n.Line, Reason: "is nested too deeply or repeated too often"}
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.walk(n.Alias, path, depth+1)
	case yaml.ScalarNode:
		if n.Tag != "!!null" && path != "" {
			w.pairs = append(w.pairs, pair{key: path, text: n.Value})
		}
	case yaml.MappingNode:
		return w.walkMapping(n, path, depth)
	case yaml.DocumentNode:
		for _, child := range n.Content {
			if err := w.walk(child, path, depth+1); err != nil {
				return err
			}
		}
	}
	return nil // sequences hold no setting of ours
}

func (w *yamlWalk) walkMapping(n *yaml.Node, path string, depth int) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if path != "" {
			key = path + "." + key
		}
		if err := w.walk(n.Content[i+1], key, depth+1); err != nil {
			return err
		}
	}
	return nil
}
