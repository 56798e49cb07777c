package stricttemplate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template/parse"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// The names of the functions that instrument puts into a template. They are not
// known while it is parsed, so that no template can call them.
const (
	stepFunc     = "_step"     // counts the actions of a body that is executed again and again
	enterFunc    = "_enter"    // counts those of a template, and the templates that call each other
	leaveFunc    = "_leave"    // at the end of a template
	weighFunc    = "_weigh"    // hands its argument on, and counts the work that its length makes
	indexFunc    = "_index"    // the same for index and slice, which take Go's integers
	givenFunc    = "_given"    // the same for what a method is given, which may make as much of it
	argumentFunc = "_argument" // hands on what a function makes a text of, when it has one; its first argument is the number of a place
	writtenFunc  = "_written"  // the same for what is written
	shownFunc    = "_shown"    // the same for what is written into HTML, and weighs it
	rangedFunc   = "_ranged"   // hands on what is ranged over, and counts what sorting it costs
	verbatimFunc = "_verbatim" // writes its argument, which is the template's, as HTML
	truthFunc    = "_truth"    // hands on what an if looks at, for which zero is nothing
)

// instrument has a template count what it does. Go's templates cannot be
// interrupted, and know no limits: {{range 99999999999999}}{{end}} never ends.
// What is executed more than once is the body of a range and a template that is
// called, so a call of one of our functions is put at the beginning of each. It
// declares a variable, because html/template takes what is not a declaration for
// output, and would escape it. root is the number of actions that are executed
// once. With html, values that are written are weighed too, since escaping looks
// at all of them.
//
// It also has every value looked at of which a text is made, so that none of Go's
// words for what has no text goes out. places gets where each of them is.
func instrument(trees []*parse.Tree, name string, html bool, o *Options, places *[]place) (root int) {
	in := &instrumenter{html: html, options: o, places: *places}
	for _, tree := range trees {
		if tree == nil || tree.Root == nil {
			continue
		}
		in.main = tree.Name == name
		in.dotIsData = in.main
		n := in.list(tree.Root)
		if in.main {
			root = n
			continue
		}
		tree.Root.Nodes = append([]parse.Node{call(enterFunc, n)}, append(tree.Root.Nodes, call(leaveFunc, 0))...)
	}
	*places = in.places
	return root
}

type instrumenter struct {
	html      bool
	main      bool // in the template itself, where $ is the data
	dotIsData bool // outside of range and with, where the dot is, too
	options   *Options
	places    []place
}

// list returns the number of actions in l that are executed when l is.
func (in *instrumenter) list(l *parse.ListNode) (n int) {
	if l == nil {
		return 0
	}
	for _, node := range l.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			n += in.action(node)
		case *parse.IfNode:
			n += in.branch(&node.BranchNode, in.dotIsData)
		case *parse.WithNode:
			n += in.branch(&node.BranchNode, false)
		case *parse.RangeNode:
			n += in.pipe(node.Pipe) + in.list(node.ElseList)
			node.Pipe.Cmds = []*parse.CommandNode{command(node.Pipe, parse.NewIdentifier(rangedFunc), inner(node.Pipe, node.Pipe.Cmds...))}
			body := in.within(node.List, false)
			node.List.Nodes = append([]parse.Node{call(stepFunc, body+1)}, node.List.Nodes...)
		case *parse.TemplateNode:
			n += in.pipe(node.Pipe)
		}
		n++
	}
	return n
}

// within is list where the dot is the data, or is not.
func (in *instrumenter) within(l *parse.ListNode, dotIsData bool) int {
	outside := in.dotIsData
	defer func() { in.dotIsData = outside }()
	in.dotIsData = dotIsData
	return in.list(l)
}

func (in *instrumenter) branch(b *parse.BranchNode, dotIsData bool) int {
	n := in.pipe(b.Pipe)
	b.Pipe.Cmds = append(b.Pipe.Cmds, command(b.Pipe, parse.NewIdentifier(truthFunc)))
	return n + in.within(b.List, dotIsData) + in.list(b.ElseList)
}

// action is pipe for an action, which writes what comes out unless it declares a
// variable.
func (in *instrumenter) action(node *parse.ActionNode) int {
	if len(node.Pipe.Decl) > 0 || isVerbatim(node) {
		return in.pipe(node.Pipe)
	}
	at := in.place(node.Line, node.Pipe)
	n := in.pipe(node.Pipe)
	switch last, escapes := escaper(node.Pipe); {
	case !in.html:
		node.Pipe.Cmds = append(node.Pipe.Cmds, placed(node, writtenFunc, at))
	case escapes:
		in.places[at].encoded = last.Ident == "urlquery"
		showBefore(node.Pipe, last, at)
	default:
		node.Pipe.Cmds = append(node.Pipe.Cmds, placed(node, shownFunc, at))
	}
	return n
}

// escaper is the last function of a pipeline when it is one that html/template wants
// to be the last.
func escaper(p *parse.PipeNode) (*parse.IdentifierNode, bool) {
	name, ok := p.Cmds[len(p.Cmds)-1].Args[0].(*parse.IdentifierNode)
	return name, ok && (name.Ident == "html" || name.Ident == "urlquery")
}

// showBefore has a value shown before an escaper, which is what it is written with:
// {{html .a .b}} is {{print .a .b | html}}.
func showBefore(p *parse.PipeNode, escaper *parse.IdentifierNode, at int) {
	last := p.Cmds[len(p.Cmds)-1]
	before := p.Cmds[:len(p.Cmds)-1]
	switch {
	case len(last.Args) == 1 && len(before) == 0: // {{html}}
		return
	case len(last.Args) == 2 && len(before) == 0 && last.Args[1].Type() != parse.NodeNil:
		before = append(before, command(last, last.Args[1]))
	case len(last.Args) > 1:
		before = append(before, command(last, append([]parse.Node{parse.NewIdentifier("print")}, last.Args[1:]...)...))
	}
	p.Cmds = append(before, placed(last, shownFunc, at), command(last, parse.NewIdentifier(escaper.Ident)))
}

// pipe returns the number of commands and arguments, and has the arguments of
// functions and methods handed to what looks at them before.
func (in *instrumenter) pipe(p *parse.PipeNode) (n int) {
	if p == nil {
		return 0
	}
	var cmds []*parse.CommandNode
	for i, cmd := range p.Cmds {
		before := in.handedTo(cmd)
		looksAtLast := before == argumentFunc || before == truthFunc || before == indexFunc // the others only look at what is written after their names
		if i > 0 && looksAtLast {
			piped := &parse.PipeNode{NodeType: parse.NodePipe, Pos: p.Pos, Line: p.Line, Cmds: p.Cmds[:i]}
			cmds = append(cmds, in.handing(before, p.Line, piped))
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range p.Cmds {
		n += len(cmd.Args) + in.arguments(p, cmd, in.handedTo(cmd))
	}
	p.Cmds = cmds
	return n
}

// arguments is pipe for the arguments of one command.
func (in *instrumenter) arguments(p *parse.PipeNode, cmd *parse.CommandNode, before string) (n int) {
	for i, arg := range cmd.Args {
		var handing *parse.CommandNode
		if before != "" && i > 0 {
			handing = in.handing(before, p.Line, arg)
		}
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
		if handing != nil {
			handing.Args = append(handing.Args, arg)
			cmd.Args[i] = inner(p, handing)
		}
	}
	return n
}

// handing is a command that hands on what is after it.
func (in *instrumenter) handing(function string, line int, value parse.Node) *parse.CommandNode {
	if function == argumentFunc {
		return placed(value, function, in.place(line, value))
	}
	return command(value, parse.NewIdentifier(function))
}

// handedTo is what the arguments of a command are handed to before: those of a method,
// of a function that makes a text of them, and of one of Go's that looks at the whole
// of them, or knows no numbers of JSON.
func (in *instrumenter) handedTo(cmd *parse.CommandNode) string {
	name, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok {
		return givenFunc
	}
	switch name.Ident {
	case "eq", "ne", "lt", "le", "gt", "ge":
		return weighFunc
	case "index", "slice":
		return indexFunc
	case "and", "or", "not":
		return truthFunc
	case "print", "println", "printf", "html", "js", "urlquery", "url", "date", "number":
		return argumentFunc
	}
	if in.options.Functions[name.Ident] != nil {
		return argumentFunc
	}
	return ""
}

// inner is a pipeline in parentheses.
func inner(at *parse.PipeNode, cmds ...*parse.CommandNode) *parse.PipeNode {
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: cmds[0].Pos, Line: at.Line, Cmds: cmds}
}

// placed is a command that is told of a place.
func placed(at parse.Node, function string, n int) *parse.CommandNode {
	number := &parse.NumberNode{NodeType: parse.NodeNumber, Pos: at.Position(), IsInt: true, Int64: int64(n), Text: strconv.Itoa(n)}
	return command(at, parse.NewIdentifier(function), number)
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
	text = strings.ReplaceAll(text, rangedFunc+" ", "")
	for {
		at := handing.Get().FindStringIndex(text)
		if at == nil {
			break
		}
		before, rest := text[:at[0]], text[at[1]:]
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
	return inserted.Get().ReplaceAllString(text, "")
}

// handing is what begins an argument that is handed to one of our functions.
var handing = lazyregexp.New(`\(_(?:weigh|index|given|truth|argument \d+) `)

// inserted is what is in a pipeline and not in the template.
var inserted = lazyregexp.New(` \| (?:_[a-z]+)+_?(?: \d+)?`)

// escaping returns an error when html/template would have too much to do to find
// out where each action of an HTML body is. It looks at the body of a range
// twice, and at a template once for each place from which it is called, where it
// may come to another result; a template that calls itself has no end there.
func escaping(trees map[string]*parse.Tree, name string) error {
	e := &escapeCost{trees: trees, known: map[string]int{}}
	if n := e.template(name); n < 0 {
		return errors.New("has a template that calls itself, which is not possible in HTML")
	} else if n > limits.TemplateHTML {
		return fmt.Errorf("has too many actions for HTML, or its ranges and templates are nested too deeply: %d actions, at most %d", n, limits.TemplateHTML)
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
