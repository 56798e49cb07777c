package message

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ascii"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// Inline is a file that the HTML body shows, by the address "cid:CID".
type Inline struct {
	CID         string // Content-ID without angle brackets (RFC 2392)
	Path        string
	File        *os.File      // as in Attachment
	Octets      *bytes.Reader // as in Attachment
	Dir         string        // as in Attachment
	ContentType string        // "" = by extension, then by content
}

const maxCID = 200

// checkInline refuses Content-IDs that could be anything else, and two equal ones.
func checkInline(list []Inline) error {
	seen := map[string]bool{}
	for _, in := range list {
		if in.CID == "" || len(in.CID) > maxCID {
			return badinput.Field("inline image", in.Path, fmt.Sprintf("needs a content id of 1 to %d characters", maxCID))
		}
		for _, c := range in.CID {
			if !isCIDRune(c) {
				return badinput.Field("inline image", in.CID, fmt.Sprintf("%q cannot be used in a content id", c))
			}
		}
		if seen[in.CID] {
			return badinput.Field("inline image", in.CID, "this content id is given twice")
		}
		seen[in.CID] = true
	}
	return nil
}

func isCIDRune(c rune) bool {
	return ascii.IsAlnum(c) || strings.ContainsRune("@.-_+$", c)
}

// Unshown returns the content ids that the HTML body does not show, because one
// of them is misspelt: most programs list such an image as an attachment.
func (m *Composed) Unshown() (cids []string) {
	for _, p := range m.parts {
		if p.cid != "" && !strings.Contains(m.html, "cid:"+p.cid) && !strings.Contains(m.html, "cid:"+url.QueryEscape(p.cid)) {
			cids = append(cids, p.cid)
		}
	}
	return cids
}

// Unsent is an image that the HTML body shows and its reader will not see.
type Unsent struct {
	Address string // as the body has it
	Why     UnsentReason
}

// UnsentReason says why an image is not seen.
type UnsentReason int

// The reasons.
const (
	UnsentFile  UnsentReason = iota // it is a file beside the HTML text
	UnsentCID                       // no part has this Content-ID; the address begins with "cid:"
	UnsentPath                      // it is a path of this machine
	UnsentData                      // it is in the address itself (RFC 2397), which Outlook and Gmail do not show
	UnsentOther                     // it is nothing that mail programs show
)

// Missing returns the images that the HTML body shows and the message does not
// carry, each once. Those of the web are not missing.
func (m *Composed) Missing() (images []Unsent) {
	carried := map[string]bool{}
	for _, p := range m.parts {
		carried[p.cid] = true
	}
	told := map[string]bool{}
	walk := imageWalk{visit: func(address string, image bool) (string, error) {
		if why, missing := unsent(address, image, carried); missing && !told[address] {
			told[address] = true
			images = append(images, Unsent{address, why})
		}
		return address, nil
	}}
	_, _ = walk.html(strings.NewReader(m.html)) // visit has no error
	return images
}

// drive begins a path of Windows.
var drive = lazyregexp.New(`^(?:[A-Za-z]:[\\/]|\\\\)`)

// unsent reports an address that its reader cannot see, and why.
func unsent(address string, image bool, carried map[string]bool) (why UnsentReason, missing bool) {
	address = strings.TrimSpace(address)
	if drive.Get().MatchString(address) {
		return UnsentPath, true
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return UnsentOther, true
	case u.Scheme == "cid":
		cid, err := url.PathUnescape(u.Opaque)
		return UnsentCID, err == nil && !carried[cid]
	case u.Scheme == "data":
		return UnsentData, true
	case u.Scheme == "file", u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		return UnsentPath, true
	case isRelative(u):
		return UnsentFile, image || hasImageExtension(u.Path)
	}
	return UnsentOther, u.Scheme != "http" && u.Scheme != "https" && (u.Scheme != "" || u.Host != "")
}

// isRelative reports an address without scheme, host and absolute path.
func isRelative(u *url.URL) bool {
	return u.Scheme == "" && u.Host == "" && u.Path != "" && u.Path[0] != '/'
}

// embedImages finds the images that an HTML text names relative to dir and gives
// each a Content-ID of domain; see imageWalk for where it looks. Addresses with a
// scheme or a host, and absolute paths, are left alone: Missing has those that are
// not seen. A file outside dir is refused, by name or by symbolic link: an HTML
// text from elsewhere must not be able to mail the files of this machine.
func embedImages(ctx context.Context, source, dir, domain string) (string, []Inline, error) {
	var list []Inline
	cids := map[string]string{}
	walk := imageWalk{visit: func(address string, image bool) (string, error) {
		u, err := url.Parse(strings.TrimSpace(address))
		if err != nil || drive.Get().MatchString(address) || !isRelative(u) {
			return address, nil
		}
		if !image && !hasImageExtension(u.Path) {
			return address, nil
		}
		name, err := imageName(u.Path, address)
		if err != nil {
			return "", err
		}
		if cids[name] == "" {
			if err := checkImage(dir, name, address); err != nil {
				return "", err
			}
			cids[name] = fmt.Sprintf("image%d.%s@%s", len(cids)+1, strings.ToLower(rand.Text()), domain)
			list = append(list, Inline{CID: cids[name], Path: name, Dir: dir})
		}
		return "cid:" + cids[name], nil
	}}
	out, err := walk.html(until.Between(ctx, strings.NewReader(source)))
	if ctx.Err() != nil {
		return "", nil, context.Cause(ctx)
	}
	return out, list, err
}

// imageName is the name of a local file that the path of an address means.
func imageName(path, address string) (string, error) {
	name := filepath.Clean(filepath.FromSlash(path))
	if !filepath.IsLocal(name) {
		return "", badinput.Field("HTML image", address, "is outside of the directory of the HTML file")
	}
	return name, nil
}

// checkImage looks for a file below dir.
func checkImage(dir, name, address string) error {
	f, err := ownfile.OpenBelow(dir, name)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ownfile.ErrNotRegular):
		return badinput.File(filepath.Join(dir, name), err)
	}
	return badinput.Field("HTML image", address, fmt.Sprintf("cannot be embedded (%v)", badinput.BareCause(err))) // such as a link that leads out
}
