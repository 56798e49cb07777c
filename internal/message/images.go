package message

import (
	"io"
	"path"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/thirdparty/html"
	"github.com/smtpsend/smtpsend/internal/thirdparty/html/atom"
)

// imageWalk goes through the addresses of the images that an HTML text shows:
// those of img, of input, of the background and poster attributes, of SVG, of
// url() in style attributes and style elements, and of srcset; also in the
// conditional comments that Outlook reads.
type imageWalk struct {
	// visit is given each address, and says what takes its place. image says that
	// it is one whatever its name; url() may also name a font.
	visit   func(address string, image bool) (string, error)
	comment bool // in one
}

// html returns the text with what visit has changed. Only tags, style elements and
// comments with such an address are written anew.
func (w *imageWalk) html(in io.Reader) (string, error) {
	var out strings.Builder
	z := html.NewTokenizer(in)
	style := false // the text is that of a style element
	for z.Next() != html.ErrorToken {
		raw := string(z.Raw())
		token := z.Token()
		text, err := raw, error(nil)
		switch token.Type {
		case html.StartTagToken, html.SelfClosingTagToken:
			text, err = w.tag(raw, token)
		case html.TextToken:
			if style {
				text, err = w.css(raw)
			}
		case html.CommentToken:
			text, err = w.conditional(raw)
		}
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		style = token.Type == html.StartTagToken && token.DataAtom == atom.Style
	}
	return out.String(), nil
}

// conditional looks into a comment such as <!--[if mso]>...<![endif]-->.
func (w *imageWalk) conditional(raw string) (string, error) {
	inner, begins := strings.CutPrefix(raw, "<!--")
	inner, ends := strings.CutSuffix(inner, "-->")
	if w.comment || !begins || !ends || !strings.HasPrefix(strings.TrimSpace(inner), "[if") {
		return raw, nil
	}
	changed, err := (&imageWalk{visit: w.visit, comment: true}).html(strings.NewReader(inner))
	if err != nil || changed == inner {
		return raw, err
	}
	return "<!--" + changed + "-->", nil
}

func (w *imageWalk) tag(raw string, t html.Token) (string, error) {
	changed := false
	for i, a := range t.Attr {
		value, err := w.attribute(t, a)
		if err != nil {
			return "", err
		}
		if value != a.Val {
			t.Attr[i].Val, changed = value, true
		}
	}
	if !changed {
		return raw, nil
	}
	return t.String(), nil
}

// attribute is the value that takes the place of an attribute's.
func (w *imageWalk) attribute(t html.Token, a html.Attribute) (string, error) {
	svg := t.Data == "image" || t.Data == "feimage"
	switch key := a.Key; {
	case key == "style":
		return w.css(a.Val)
	case key == "srcset" && (t.DataAtom == atom.Img || t.DataAtom == atom.Source):
		return w.srcset(a.Val)
	case key == "background",
		key == "poster" && t.DataAtom == atom.Video,
		key == "src" && (t.DataAtom == atom.Img || t.Data == "image" || isImageInput(t) || strings.HasPrefix(t.Data, "v:")), // v:fill of Outlook
		(key == "href" || key == "xlink:href") && svg:
		return w.visit(a.Val, true)
	case key == "src" && t.DataAtom == atom.Embed, key == "data" && t.DataAtom == atom.Object:
		return w.visit(a.Val, false)
	}
	return a.Val, nil
}

func isImageInput(t html.Token) bool {
	return t.DataAtom == atom.Input && slices.ContainsFunc(t.Attr, func(a html.Attribute) bool {
		return a.Key == "type" && strings.EqualFold(strings.TrimSpace(a.Val), "image")
	})
}

// srcset goes through the candidates of a srcset attribute: an address and, up to
// a comma, for what it is. A comma within an address is a part of it.
func (w *imageWalk) srcset(value string) (string, error) {
	const blanks = " \t\r\n\f"
	var out strings.Builder
	for rest := value; rest != ""; {
		start := len(rest) - len(strings.TrimLeft(rest, blanks+","))
		out.WriteString(rest[:start])
		rest = rest[start:]
		end := strings.IndexAny(rest, blanks)
		if end < 0 {
			end = len(rest)
		}
		address := strings.TrimRight(rest[:end], ",")
		if address == "" {
			break
		}
		changed, err := w.visit(address, true)
		if err != nil {
			return "", err
		}
		out.WriteString(changed)
		rest = rest[len(address):]
		if !strings.HasPrefix(rest, ",") { // what it is for
			comma := strings.IndexByte(rest, ',')
			if comma < 0 {
				comma = len(rest)
			}
			out.WriteString(rest[:comma])
			rest = rest[comma:]
		}
	}
	return out.String(), nil
}

// css goes through url() in a style sheet, outside its comments and strings.
func (w *imageWalk) css(text string) (string, error) {
	var out strings.Builder
	done := 0 // octets of text that out has
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "/*"):
			i = after(text, i+2, "*/")
		case c == '"' || c == '\'':
			i = afterString(text, i)
		case (c == 'u' || c == 'U') && len(text) >= i+4 && strings.EqualFold(text[i:i+4], "url("):
			address, end := cssURL(text, i+4)
			changed, err := w.visit(address, false)
			if err != nil {
				return "", err
			}
			if changed != address { // a Content-ID, which needs no quotes
				out.WriteString(text[done:i+4] + changed + ")")
				done = end
			}
			i = end
		default:
			i++
		}
	}
	return out.String() + text[done:], nil
}

// after is the place after the next end in text, from i on, or the text's end.
func after(text string, i int, end string) int {
	if n := strings.Index(text[i:], end); n >= 0 {
		return i + n + len(end)
	}
	return len(text)
}

// afterString is the place after the string that begins at i with its quote.
func afterString(text string, i int) int {
	for j := i + 1; j < len(text); j++ {
		switch text[j] {
		case '\\':
			j++
		case text[i]:
			return j + 1
		}
	}
	return len(text)
}

// cssURL is what url( at i names, and the place after its parenthesis.
func cssURL(text string, i int) (address string, end int) {
	for i < len(text) && strings.IndexByte(" \t\r\n\f", text[i]) >= 0 {
		i++
	}
	if i < len(text) && (text[i] == '"' || text[i] == '\'') {
		closed := afterString(text, i)
		return strings.TrimRight(text[i+1:closed], text[i:i+1]), after(text, closed, ")")
	}
	end = after(text, i, ")")
	return strings.TrimSpace(strings.TrimSuffix(text[i:end], ")")), end
}

// imageExtensions are those of images that a mail program might show.
var imageExtensions = []string{".png", ".jpg", ".jpeg", ".jfif", ".gif", ".webp", ".svg", ".bmp", ".ico", ".tif", ".tiff", ".avif", ".apng", ".heic"}

func hasImageExtension(name string) bool {
	return slices.Contains(imageExtensions, strings.ToLower(path.Ext(name)))
}
