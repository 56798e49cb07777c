package stricttemplate_test

import (
	"reflect"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/stricttemplate"
)

// FuzzScan: what is let through to the parser is nested no deeper than is allowed.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{"{{if 1}}{{else if 2}}{{end}}", "{{(((1)))}}", "{{/* {{ */}}", "{{- /* */ -}}{{`}}`}}{{\"\\\"}}\"}}", "{{'}'}}{{define \"a\"}}{{end}}", "{{if\n1}}{{ else\twith 1 }}{{end}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		source = strings.Repeat("{{if 1}}", limits.TemplateNesting-8) + source // so that few levels are too many
		if _, err := stricttemplate.Compile("m.txt", options, []stricttemplate.Part{{Name: "body", Text: source + strings.Repeat("{{end}}", limits.TemplateNesting-8)}}); err != nil {
			return
		}
		trees, err := parse.Parse("m", source+strings.Repeat("{{end}}", limits.TemplateNesting-8), "", "", builtins)
		if err != nil {
			t.Fatal(err)
		}
		for _, tree := range trees {
			if n := depth(tree.Root); n > limits.TemplateNesting {
				t.Fatalf("%q is nested %d deep", source, n)
			}
		}
	})
}

// builtins are the names of Go's functions, and ours.
var builtins = map[string]any{
	"and": 1, "call": 1, "html": 1, "index": 1, "slice": 1, "js": 1, "len": 1, "not": 1, "or": 1, "print": 1, "printf": 1, "println": 1,
	"urlquery": 1, "eq": 1, "ge": 1, "gt": 1, "le": 1, "lt": 1, "ne": 1, "url": 1, "join": 1, "date": 1, "number": 1,
}

// depth is how deep blocks and parentheses are nested in a tree.
func depth(node parse.Node) (most int) {
	if node == nil || reflect.ValueOf(node).IsNil() {
		return 0
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, inner := range n.Nodes {
			most = max(most, depth(inner))
		}
	case *parse.PipeNode:
		for _, cmd := range n.Cmds {
			for _, arg := range cmd.Args {
				if inner, ok := arg.(*parse.PipeNode); ok {
					most = max(most, 1+depth(inner))
				}
				if chain, ok := arg.(*parse.ChainNode); ok {
					most = max(most, 1+depth(chain.Node))
				}
			}
		}
	case *parse.ActionNode:
		return depth(n.Pipe)
	case *parse.TemplateNode:
		return depth(n.Pipe)
	case *parse.IfNode:
		return 1 + max(depth(n.Pipe), depth(n.List), depth(n.ElseList))
	case *parse.WithNode:
		return 1 + max(depth(n.Pipe), depth(n.List), depth(n.ElseList))
	case *parse.RangeNode:
		return 1 + max(depth(n.Pipe), depth(n.List), depth(n.ElseList))
	}
	return most
}
