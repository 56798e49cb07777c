package message

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Attachment is a file that is sent along.
type Attachment struct {
	Path        string // a regular file
	Name        string // as the reader sees it; "" = the last element of Path
	ContentType string // media type with parameters; "" = by extension, then by content
}

// part is an attachment that is open and checked.
type part struct {
	body        *fileBody
	name        string
	contentType string // media type with parameters, without name
	cid         string // Content-ID of an inline part
}

// openPart opens and checks an attachment. Errors are *FileError and
// *FieldError.
func openPart(a Attachment) (p *part, err error) {
	name := a.Name
	if name == "" {
		name = filepath.Base(a.Path)
	}
	if reason := badControl(name); reason != "" {
		return nil, &FieldError{"attachment name", name, reason}
	}
	body, err := openBody(a.Path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = body.file.Close()
		}
	}()
	p = &part{body: body, name: cleanName(name)}
	if p.contentType, err = contentType(a, body.file); err != nil {
		return nil, err
	}
	return p, nil
}

// openBody opens a regular file. It is looked at before it is opened, because
// opening a named pipe without a writer would wait for ever, and again
// afterwards, because the name may mean another file by then.
func openBody(path string) (*fileBody, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &FileError{path, err}
	}
	if !info.Mode().IsRegular() {
		return nil, &FileError{path, fmt.Errorf("%w but %s", ErrNotRegular, kindOf(info.Mode()))}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &FileError{path, err}
	}
	body, err := newFileBody(path, f)
	if err != nil {
		_ = f.Close()
		return nil, &FileError{path, err}
	}
	return body, nil
}

func newFileBody(path string, f *os.File) (*fileBody, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w but %s", ErrNotRegular, kindOf(info.Mode()))
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
	return &fileBody{path: path, file: f, length: info.Size(), modTime: info.ModTime()}, nil
}

func kindOf(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&os.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&os.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}

// header returns the fields of the part. The name stands twice: in
// Content-Disposition after RFC 2231, which is the standard, and in
// Content-Type after RFC 2047, which no standard allows and which Outlook and
// other old programs read. Not twice in one field: parsers disagree which wins.
func (p *part) header() textproto.MIMEHeader {
	disposition := "attachment"
	if p.cid != "" {
		disposition = "inline"
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Transfer-Encoding", "base64")
	h.Set("Content-Type", p.contentType+";\r\n name="+legacyName(p.name))
	h.Set("Content-Disposition", disposition+fileNameParameter(p.name))
	if p.cid != "" {
		h.Set("Content-ID", "<"+p.cid+">")
	}
	return h
}

// legacyName is the name as a quoted string, of encoded words if need be.
func legacyName(name string) string {
	if isPlainText(name) {
		return `"` + quotedEscape(name) + `"`
	}
	return `"` + strings.Join(encodedWords(name, wordRoom-len(` name="`)), "\r\n ") + `"`
}

func quotedEscape(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

// chunkRoom keeps a parameter's line under 78 octets.
const chunkRoom = 55

// fileNameParameter is the parameter after RFC 2231: quoted when it is plain
// ASCII, else percent-encoded, in numbered pieces when it is long.
func fileNameParameter(name string) string {
	if isPlainText(name) && len(name) <= chunkRoom {
		return ";\r\n filename=\"" + quotedEscape(name) + `"`
	}
	var pieces []string
	var piece strings.Builder
	for rest := name; rest != ""; {
		_, w := utf8.DecodeRuneInString(rest)
		enc := percentEncode(rest[:w])
		if piece.Len()+len(enc) > chunkRoom {
			pieces = append(pieces, piece.String())
			piece.Reset()
		}
		piece.WriteString(enc)
		rest = rest[w:]
	}
	pieces = append(pieces, piece.String())
	if len(pieces) == 1 {
		return ";\r\n filename*=utf-8''" + pieces[0]
	}
	var b strings.Builder
	for i, s := range pieces {
		charset := ""
		if i == 0 {
			charset = "utf-8''"
		}
		fmt.Fprintf(&b, ";\r\n filename*%d*=%s%s", i, charset, s)
	}
	return b.String()
}

func percentEncode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if isAlnum(s[i]) || strings.IndexByte("-._~", s[i]) >= 0 {
			b.WriteByte(s[i])
			continue
		}
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// checkedType accepts a media type given by people and formats it anew, so that
// nothing but a media type can come of it.
func checkedType(value string) (string, error) {
	media, params, err := mime.ParseMediaType(value)
	if err != nil || !strings.Contains(media, "/") || badControl(value) != "" {
		return "", &FieldError{"content type", value, "is no media type such as application/pdf"}
	}
	if strings.HasPrefix(media, "multipart/") || strings.HasPrefix(media, "message/") {
		return "", &FieldError{"content type", value, "cannot be sent in base64 (RFC 2045 6.4); use application/octet-stream"}
	}
	delete(params, "name")
	formatted := mime.FormatMediaType(media, params)
	if formatted == "" || len(formatted) > maxWord {
		return "", &FieldError{"content type", value, "has parameters that cannot be written"}
	}
	return formatted, nil
}
