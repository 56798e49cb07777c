package stricttemplate

import (
	"fmt"
	"strings"
	"text/template/parse"
)

// place is where a template writes a value, for errors that name it.
type place struct {
	line    int
	name    string   // of the value, such as "E-Mail", or how the template writes it
	path    []string // of the value in the data; nil where that is not known
	encoded bool     // it is written with urlquery, which those who wrote the template wanted
}

// unfit is a value that has no text, or that HTML would show as something else. What
// Go writes for one, such as "<no value>", "map[a:1]" or "#ZgotmplZ", must not be
// written.
type unfit struct {
	place   place
	missing bool // it is nothing; else reason says what it is
	reason  string
}

// Error says it without the data.
func (e *unfit) Error() string { return e.in(values{}) }

// in says it with what the data has.
func (e *unfit) in(data values) string {
	if !e.missing {
		return fmt.Sprintf("line %d: %q %s", e.place.line, e.place.name, e.reason)
	}
	return fmt.Sprintf("line %d has no value for %q", e.place.line, e.place.name) + data.lacking(e.place.path)
}

// lacking says why nothing is at the path: a name that is not there, or null.
func (v values) lacking(path []string) string {
	for i, name := range path {
		value, known := v.byName[name]
		if !known {
			return ": " + v.names()
		}
		inner, isGroup := value.(map[string]any)
		switch {
		case value == nil && i == len(path)-1:
			return ": it is null"
		case !isGroup:
			return ""
		}
		v.byName = inner
	}
	return ""
}

// reference is a value of a template as it is written there.
type reference struct {
	base   string   // what it begins with, "" for the data itself or the dot
	keys   []string // from there
	rooted bool     // it begins with the data
}

func (r reference) name() string {
	switch keys := strings.Join(r.keys, "."); {
	case r.base == "" && keys == "":
		return "."
	case r.base == "" || keys == "":
		return r.base + keys
	default:
		return r.base + "." + keys
	}
}

// reference reads how a template names a value.
func (in *instrumenter) reference(node parse.Node) reference {
	switch node := node.(type) {
	case *parse.PipeNode:
		if len(node.Cmds) == 1 && len(node.Decl) == 0 {
			return in.reference(node.Cmds[0])
		}
	case *parse.CommandNode:
		if len(node.Args) == 1 {
			return in.reference(node.Args[0])
		}
		if name, ok := node.Args[0].(*parse.IdentifierNode); ok && name.Ident == "index" {
			return in.indexed(node)
		}
	case *parse.DotNode:
		return reference{rooted: in.dotIsData}
	case *parse.FieldNode:
		return reference{keys: node.Ident, rooted: in.dotIsData}
	case *parse.VariableNode:
		if node.Ident[0] == "$" {
			return reference{keys: node.Ident[1:], rooted: in.main}
		}
		return reference{base: node.Ident[0], keys: node.Ident[1:]}
	case *parse.ChainNode:
		r := in.reference(node.Node)
		r.keys = append(r.keys[:len(r.keys):len(r.keys)], node.Field...)
		return r
	}
	return reference{base: shortened(node.String())}
}

// indexed reads {{index . "E-Mail"}}.
func (in *instrumenter) indexed(node *parse.CommandNode) reference {
	r := in.reference(node.Args[1])
	r.keys = r.keys[:len(r.keys):len(r.keys)]
	for _, arg := range node.Args[2:] {
		key, ok := arg.(*parse.StringNode)
		if !ok {
			return reference{base: shortened(node.String())}
		}
		r.keys = append(r.keys, key.Text)
	}
	return r
}

func shortened(source string) string {
	const enough = 100
	if len(source) > enough {
		return strings.ToValidUTF8(source[:enough], "") + "..."
	}
	return source
}

// place notes where a value is written.
func (in *instrumenter) place(line int, node parse.Node) int {
	r := in.reference(node)
	p := place{line: line, name: r.name()}
	if r.rooted {
		p.path = r.keys
	}
	in.places = append(in.places, p)
	return len(in.places) - 1
}
