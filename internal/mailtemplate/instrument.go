package mailtemplate

import (
	"errors"
	"fmt"
	"strings"
	"text/template/parse"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// The names of the functions that instrument puts into a template. They are not
// known while it is parsed, so that no template can call them.
const (
	stepFunc   = "_step"   // counts the actions of a body that is executed again and again
	enterFunc  = "_enter"  // counts those of a template, and the templates that call each other
	leaveFunc  = "_leave"  // at the end of a template
	weighFunc  = "_weigh"  // hands its argument on, and counts the work that its length makes
	givenFunc  = "_given"  // the same for what a method is given, which may make as much of it
	shownFunc  = "_shown"  // weighs what is written into HTML
	rangedFunc = "_ranged" // hands on what is ranged over, and counts what sorting it costs
)

// instrument has a template count what it does. Go's templates cannot be
// interrupted, and know no limits: {{range 99999999999999}}{{end}} never ends.
// What is executed more than once is the body of a range and a template that is
// called, so a call of one of our functions is put at the beginning of each. It
// declares a variable, because html/template takes what is no declaration for
// output, and would escape it. root is the number of actions that are executed
// once. With html, values that are written are weighed too, since escaping looks
// at all of them.
func instrument(trees []*parse.Tree, name string, html bool) (root int) {
	for _, tree := range trees {
		if tree == nil || tree.Root == nil {
			continue
		}
		in := &instrumenter{html: html}
		n := in.list(tree.Root)
		if tree.Name == name {
			root = n
			continue
		}
		tree.Root.Nodes = append([]parse.Node{call(enterFunc, n)}, append(tree.Root.Nodes, call(leaveFunc, 0))...)
	}
	return root
}

type instrumenter struct{ html bool }

// list returns the number of actions in l that are executed when l is.
func (in *instrumenter) list(l *parse.ListNode) (n int) {
	if l == nil {
		return 0
	}
	for _, node := range l.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			n += in.pipe(node.Pipe)
			if in.html && len(node.Pipe.Decl) == 0 && !escapes(node.Pipe) {
				node.Pipe.Cmds = append(node.Pipe.Cmds, command(node, parse.NewIdentifier(shownFunc)))
			}
		case *parse.IfNode:
			n += in.branch(&node.BranchNode)
		case *parse.WithNode:
			n += in.branch(&node.BranchNode)
		case *parse.RangeNode:
			n += in.pipe(node.Pipe) + in.list(node.ElseList)
			node.Pipe.Cmds = []*parse.CommandNode{command(node.Pipe, parse.NewIdentifier(rangedFunc), inner(node.Pipe, node.Pipe.Cmds...))}
			body := in.list(node.List)
			node.List.Nodes = append([]parse.Node{call(stepFunc, body+1)}, node.List.Nodes...)
		case *parse.TemplateNode:
			n += in.pipe(node.Pipe)
		}
		n++
	}
	return n
}

func (in *instrumenter) branch(b *parse.BranchNode) int {
	return in.pipe(b.Pipe) + in.list(b.List) + in.list(b.ElseList)
}

// pipe returns the number of commands and arguments, and has the arguments of
// functions and methods weighed whose time grows with them.
func (in *instrumenter) pipe(p *parse.PipeNode) (n int) {
	if p == nil {
		return 0
	}
	for _, cmd := range p.Cmds {
		n += len(cmd.Args)
		weigh := weighing(cmd)
		for i, arg := range cmd.Args {
			switch arg := arg.(type) {
			case *parse.PipeNode:
				n += in.pipe(arg)
			case *parse.ChainNode:
				if inner, ok := arg.Node.(*parse.PipeNode); ok {
					n += in.pipe(inner)
				}
			case *parse.FieldNode, *parse.VariableNode, *parse.DotNode:
			default:
				continue
			}
			if weigh != "" && i > 0 {
				cmd.Args[i] = inner(p, command(arg, parse.NewIdentifier(weigh), arg))
			}
		}
	}
	return n
}

// weighing is what weighs the arguments of a command: of a method, and of a
// function of Go's that looks at the whole of them.
func weighing(cmd *parse.CommandNode) string {
	name, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok {
		return givenFunc
	}
	switch name.Ident {
	case "eq", "ne", "lt", "le", "gt", "ge", "index":
		return weighFunc
	}
	return ""
}

// inner is a pipeline in parentheses.
func inner(at *parse.PipeNode, cmds ...*parse.CommandNode) *parse.PipeNode {
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: cmds[0].Pos, Line: at.Line, Cmds: cmds}
}

// escapes reports a pipeline that ends in a function which html/template wants to
// be the last, and which counts by itself.
func escapes(p *parse.PipeNode) bool {
	name, ok := p.Cmds[len(p.Cmds)-1].Args[0].(*parse.IdentifierNode)
	return ok && (name.Ident == "html" || name.Ident == "urlquery")
}

func command(at parse.Node, args ...parse.Node) *parse.CommandNode {
	if name, ok := args[0].(*parse.IdentifierNode); ok {
		name.SetPos(at.Position())
	}
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: at.Position(), Args: args}
}

// call is an action that calls one of our functions.
func call(function string, n int) parse.Node {
	t := parse.New("")
	t.Mode = parse.SkipFuncCheck
	// It cannot fail: the text is ours.
	t, _ = t.Parse(fmt.Sprintf("{{$_ := %s %d}}", function, n), "", "", map[string]*parse.Tree{})
	return t.Root.Nodes[0]
}

// plainly is an error's text without what instrument and html/template put into
// the template.
func plainly(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, rangedFunc+" ", ""), givenFunc, weighFunc)
	for {
		before, rest, found := strings.Cut(text, "("+weighFunc+" ")
		if !found {
			break
		}
		end := len(rest)
		for i, open := 0, 0; i < len(rest) && end == len(rest); i++ {
			switch rest[i] {
			case '(':
				open++
			case ')':
				if open--; open < 0 {
					end = i
				}
			}
		}
		text = before + rest[:end] + rest[min(len(rest), end+1):]
	}
	return inserted().ReplaceAllString(text, "")
}

// inserted is what stands at the end of a pipeline and not in the template.
var inserted = lazyregexp.New(` \| (?:_[a-z]+)+_?`)

// escaping returns an error when html/template would have too much to do to find
// out where each action of an HTML body stands. It looks at the body of a range
// twice, and at a template once for each place from which it is called, where it
// may come to another result; a template that calls itself has no end there.
func escaping(trees map[string]*parse.Tree, name string) error {
	e := &escapeCost{trees: trees, known: map[string]int{}}
	if n := e.template(name); n < 0 {
		return errors.New("has a template that calls itself, which is not possible in HTML")
	} else if n > limits.TemplateHTML {
		return fmt.Errorf("has too many actions for HTML, or ranges and templates too deep within each other: %d would be looked at, at most %d", n, limits.TemplateHTML)
	}
	return nil
}

type escapeCost struct {
	trees map[string]*parse.Tree
	known map[string]int // -1 while it is being counted
}

// template is the cost of a template, -1 when it calls itself.
func (e *escapeCost) template(name string) int {
	if n, known := e.known[name]; known {
		return n
	}
	tree := e.trees[name]
	if tree == nil {
		return 0
	}
	e.known[name] = -1
	n := e.list(tree.Root)
	e.known[name] = n
	return n
}

// list is the cost of a list; it stays above the limit once it is there.
func (e *escapeCost) list(l *parse.ListNode) (n int) {
	if l == nil {
		return 0
	}
	for _, node := range l.Nodes {
		more := 0
		switch node := node.(type) {
		case *parse.IfNode:
			more = e.both(node.List, node.ElseList, 1)
		case *parse.WithNode:
			more = e.both(node.List, node.ElseList, 1)
		case *parse.RangeNode:
			more = e.both(node.List, node.ElseList, 2)
		case *parse.TemplateNode:
			more = e.template(node.Name)
		}
		if more < 0 {
			return -1
		}
		n = min(n+more+1, limits.TemplateHTML+1)
	}
	return n
}

func (e *escapeCost) both(list, elseList *parse.ListNode, times int) int {
	a, b := e.list(list), e.list(elseList)
	if a < 0 || b < 0 {
		return -1
	}
	return times*a + b
}
