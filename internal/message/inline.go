package message

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// Inline is a file that the HTML body shows, by the address "cid:CID".
type Inline struct {
	CID         string // Content-ID without angle brackets (RFC 2392)
	Path        string
	Dir         string // as in Attachment
	ContentType string // "" = by extension, then by content
}

const maxCID = 200

// checkInline refuses Content-IDs that could be anything else, and two equal ones.
func checkInline(list []Inline) error {
	seen := map[string]bool{}
	for _, in := range list {
		if in.CID == "" || len(in.CID) > maxCID {
			return &FieldError{"inline image", in.Path, fmt.Sprintf("needs a content id of 1 to %d characters: cid=FILE", maxCID)}
		}
		for _, c := range in.CID {
			if c >= 0x80 || !isAlnum(byte(c)) && !strings.ContainsRune("@.-_+$", c) {
				return &FieldError{"inline image", in.CID, fmt.Sprintf("%q cannot be used in a content id", c)}
			}
		}
		if seen[in.CID] {
			return &FieldError{"inline image", in.CID, "this content id is given twice"}
		}
		seen[in.CID] = true
	}
	return nil
}

// Unshown returns the content ids that the HTML body does not show, because one
// of them is misspelt: most programs list such an image as an attachment.
func (m *Mail) Unshown() (cids []string) {
	for _, p := range m.parts {
		if p.cid != "" && !strings.Contains(m.html, "cid:"+p.cid) && !strings.Contains(m.html, "cid:"+url.QueryEscape(p.cid)) {
			cids = append(cids, p.cid)
		}
	}
	return cids
}

// Missing returns the addresses of images that the HTML body shows and the
// message does not carry: names of files, and content ids as "cid:CID".
func (m *Mail) Missing() (images []string) {
	carried := map[string]bool{}
	for _, p := range m.parts {
		carried[p.cid] = true
	}
	told := map[string]bool{}
	z := html.NewTokenizer(strings.NewReader(m.html))
	for z.Next() != html.ErrorToken {
		t := z.Token()
		if t.DataAtom != atom.Img {
			continue
		}
		for _, a := range t.Attr {
			if a.Key == "src" && !told[a.Val] && isMissing(a.Val, carried) {
				told[a.Val] = true
				images = append(images, a.Val)
			}
		}
	}
	return images
}

// isMissing reports an address of a file, or of a part that is not carried.
func isMissing(address string, carried map[string]bool) bool {
	u, err := url.Parse(strings.TrimSpace(address))
	switch {
	case err != nil:
		return false
	case u.Scheme == "cid":
		cid, err := url.PathUnescape(u.Opaque)
		return err == nil && !carried[cid]
	}
	return isRelative(u)
}

// isRelative reports an address without scheme, host and absolute path.
func isRelative(u *url.URL) bool {
	return u.Scheme == "" && u.Host == "" && u.Path != "" && u.Path[0] != '/'
}

// embedImages finds the images that an HTML text names relative to dir and
// gives each a Content-ID of domain. Only img tags that name such a file are
// written anew; everything else stays as it is. Addresses with a scheme or a
// host, and absolute paths, are left alone. A file outside dir is refused, by
// name or by symbolic link: an HTML text from elsewhere must not be able to
// mail the files of this machine.
func embedImages(ctx context.Context, source, dir, domain string) (string, []Inline, error) {
	var out strings.Builder
	var list []Inline
	cids := map[string]string{}
	z := html.NewTokenizer(until.Between(ctx, strings.NewReader(source)))
	for z.Next() != html.ErrorToken {
		raw := string(z.Raw())
		token := z.Token()
		i := imageSource(token)
		if i < 0 {
			out.WriteString(raw)
			continue
		}
		name, err := imageName(token.Attr[i].Val)
		if err != nil {
			return "", nil, err
		}
		if cids[name] == "" {
			if err := checkImage(dir, name, token.Attr[i].Val); err != nil {
				return "", nil, err
			}
			cids[name] = fmt.Sprintf("image%d.%s@%s", len(cids)+1, randomID(), domain)
			list = append(list, Inline{CID: cids[name], Path: name, Dir: dir})
		}
		token.Attr[i].Val = "cid:" + cids[name]
		out.WriteString(token.String())
	}
	if ctx.Err() != nil {
		return "", nil, context.Cause(ctx)
	}
	return out.String(), list, nil
}

// imageSource returns which attribute of a token names a file by a relative
// address, or -1.
func imageSource(t html.Token) int {
	if t.DataAtom != atom.Img || (t.Type != html.StartTagToken && t.Type != html.SelfClosingTagToken) {
		return -1
	}
	for i, a := range t.Attr {
		if a.Key != "src" {
			continue
		}
		u, err := url.Parse(strings.TrimSpace(a.Val))
		if err != nil || !isRelative(u) {
			return -1
		}
		return i
	}
	return -1
}

// imageName is the name of a local file that an address means.
func imageName(address string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", &FieldError{"HTML image", address, "is no address"}
	}
	name := filepath.Clean(filepath.FromSlash(u.Path))
	if !filepath.IsLocal(name) {
		return "", &FieldError{"HTML image", address, "is outside of the directory of the HTML file"}
	}
	return name, nil
}

// checkImage looks for a file below dir.
func checkImage(dir, name, address string) error {
	f, err := ownfile.OpenBelow(dir, name)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrNotRegular):
		return &FileError{filepath.Join(dir, name), err}
	}
	return &FieldError{"HTML image", address, fmt.Sprintf("cannot be embedded (%v)", bareCause(err))} // such as a link that leads out
}
