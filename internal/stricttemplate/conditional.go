package stricttemplate

import (
	htmltemplate "html/template"
	"strconv"
	"text/template/parse"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// conditional is where a comment of HTML begins or ends that Outlook looks into, such
// as <!--[if mso]>: half of all designed mail has some. html/template leaves comments
// out, and with them what Outlook is to show.
var conditional = lazyregexp.New(`<!--\[if [^\]<>]{1,100}\]>(?:<!-->|\s*-->)?|(?:<!--\s*)?<!\[endif\]-->`)

// keepConditionals has what begins and ends such a comment written as it is, so that
// what is between them is HTML like all other, with data in it escaped.
func keepConditionals(l *parse.ListNode) {
	if l == nil {
		return
	}
	var nodes []parse.Node
	for _, node := range l.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			nodes = append(nodes, split(node)...)
			continue
		case *parse.IfNode:
			keepConditionals(node.List)
			keepConditionals(node.ElseList)
		case *parse.WithNode:
			keepConditionals(node.List)
			keepConditionals(node.ElseList)
		case *parse.RangeNode:
			keepConditionals(node.List)
			keepConditionals(node.ElseList)
		}
		nodes = append(nodes, node)
	}
	l.Nodes = nodes
}

// split makes an action of each beginning and end in a text.
func split(node *parse.TextNode) (nodes []parse.Node) {
	from := 0
	for _, at := range conditional.Get().FindAllIndex(node.Text, -1) {
		nodes = append(nodes, textNode(node, from, at[0]), verbatim(node, string(node.Text[at[0]:at[1]])))
		from = at[1]
	}
	if from == 0 {
		return []parse.Node{node}
	}
	return append(nodes, textNode(node, from, len(node.Text)))
}

func textNode(of *parse.TextNode, from, to int) parse.Node {
	part := of.Copy().(*parse.TextNode)
	part.Text = part.Text[from:to]
	return part
}

// verbatim is an action that writes text as HTML.
func verbatim(at *parse.TextNode, text string) parse.Node {
	quoted := &parse.StringNode{NodeType: parse.NodeString, Pos: at.Pos, Quoted: strconv.Quote(text), Text: text}
	pipe := &parse.PipeNode{NodeType: parse.NodePipe, Pos: at.Pos, Cmds: []*parse.CommandNode{command(at, parse.NewIdentifier(verbatimFunc), quoted)}}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: at.Pos, Pipe: pipe}
}

// isVerbatim reports an action that verbatim made.
func isVerbatim(node *parse.ActionNode) bool {
	name, ok := node.Pipe.Cmds[0].Args[0].(*parse.IdentifierNode)
	return ok && name.Ident == verbatimFunc
}

func asHTML(text string) htmltemplate.HTML { return htmltemplate.HTML(text) }
