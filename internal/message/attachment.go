package message

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Attachment is a file that is sent along, or octets in the place of one.
type Attachment struct {
	Path        string        // a regular file
	File        *os.File      // when set, the file itself, such as a copy of a pipe called Path; the caller closes it, after the Mail
	Octets      *bytes.Reader // when set, the content itself, in place of a file; it is read by ReadAt
	Dir         string        // when set, the file must be below this directory, and a relative Path begins there
	Name        string        // as the reader sees it; "" = the last element of Path
	ContentType string        // media type with parameters; "" = by extension, then by content
}

// part is an attachment that is open and checked.
type part struct {
	body        *fileBody
	name        string
	contentType string // media type with parameters, without name
	cid         string // Content-ID of an inline part
}

// openPart opens and checks an attachment. Errors are *badinput.FileError and
// *badinput.FieldError.
func openPart(a Attachment) (p *part, err error) {
	name := a.Name
	if name == "" {
		name = filepath.Base(a.Path)
	}
	if reason := badinput.NotOneLine(name); reason != "" {
		return nil, badinput.Field("attachment name", name, reason)
	}
	body, err := openBody(a)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = body.Close()
		}
	}()
	p = &part{body: body, name: mimetext.CleanName(name)}
	if p.contentType, err = contentType(a, body.content); err != nil {
		return nil, err
	}
	return p, nil
}

// openBody opens the regular file of an attachment, or takes its octets.
func openBody(a Attachment) (*fileBody, error) {
	if a.Octets != nil {
		return &fileBody{path: a.Path, content: a.Octets, length: a.Octets.Size()}, nil
	}
	if a.File != nil {
		body, err := newFileBody(a.Path, a.File)
		if err != nil {
			return nil, badinput.File(a.Path, err)
		}
		body.borrowed = true
		return body, nil
	}
	path, open := a.Path, openAnywhere
	if a.Dir != "" {
		open = func(string) (*os.File, error) { return openBelow(a.Dir, a.Path) }
		if !filepath.IsAbs(path) {
			path = filepath.Join(a.Dir, path)
		}
	}
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	body, err := newFileBody(path, f)
	if err != nil {
		_ = f.Close()
		return nil, badinput.File(path, err)
	}
	return body, nil
}

func openAnywhere(path string) (*os.File, error) {
	f, err := ownfile.OpenRegular(path)
	if err != nil {
		return nil, badinput.File(path, err)
	}
	return f, nil
}

func newFileBody(path string, f *os.File) (*fileBody, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		n, err := f.ReadAt(make([]byte, 1), 0)
		if n > 0 {
			return nil, ErrSizeUnknown
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return &fileBody{path: path, content: f, file: f, length: info.Size(), modTime: info.ModTime()}, nil
}

// fields are those of the part. The name is there twice: in Content-Disposition
// after RFC 2231, which is the standard, and in Content-Type after RFC 2047, which no
// standard allows and which Outlook and other old programs read. Not twice in one
// field: parsers disagree which wins.
func (p *part) fields() string {
	disposition, id := "attachment", ""
	if p.cid != "" {
		disposition, id = "inline", "Content-Id: <"+p.cid+">\r\n"
	}
	return "Content-Disposition: " + disposition + mimetext.FileNameParameter(p.name) + "\r\n" + id +
		"Content-Transfer-Encoding: base64\r\n" +
		"Content-Type: " + p.contentType + ";\r\n name=" + mimetext.LegacyName(p.name) + "\r\n"
}

// contentType is the media type given, or that of the name and the first octets.
func contentType(a Attachment, f io.ReaderAt) (string, error) {
	if a.ContentType != "" {
		return checkedType(a.ContentType)
	}
	head := make([]byte, 4096)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", badinput.File(a.Path, err)
	}
	return mimetext.MediaType(cmp.Or(a.Name, a.Path), head[:n]), nil
}

// checkedType accepts a media type given by people and formats it anew, so that
// nothing but a media type can come of it.
func checkedType(value string) (string, error) {
	media, params, err := mime.ParseMediaType(value)
	if err != nil || !strings.Contains(media, "/") || badinput.NotOneLine(value) != "" {
		return "", badinput.Field("content type", value, "is not a media type such as application/pdf")
	}
	if strings.HasPrefix(media, "multipart/") || strings.HasPrefix(media, "message/") {
		return "", badinput.Field("content type", value, "cannot be sent in base64 (RFC 2045 6.4); use application/octet-stream")
	}
	delete(params, "name")
	formatted := mime.FormatMediaType(media, params)
	if formatted == "" || len(formatted) > mimetext.MaxWord {
		return "", badinput.Field("content type", value, "has parameters that cannot be written")
	}
	return formatted, nil
}
