package mimetext

import (
	"net/http"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/lazy"
)

// knownTypes has the common extensions, so that a message does not depend on
// the mime.types file of the machine. An .eml file goes as octets: message/
// types must not be in base64 (RFC 2045 6.4), and mail programs open it by its
// name.
var knownTypes = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"7z": "application/x-7z-compressed", "avif": "image/avif", "bmp": "image/bmp", "bz2": "application/x-bzip2",
		"css": "text/css", "csv": "text/csv", "doc": "application/msword", "dot": "application/msword",
		"docm": "application/vnd.ms-word.document.macroenabled.12",
		"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"eml":  "application/octet-stream", "epub": "application/epub+zip", "gif": "image/gif", "gz": "application/gzip",
		"heic": "image/heic", "htm": "text/html", "html": "text/html", "ics": "text/calendar", "ico": "image/vnd.microsoft.icon",
		"jpeg": "image/jpeg", "jpg": "image/jpeg", "js": "text/javascript", "json": "application/json", "log": "text/plain",
		"md": "text/markdown", "mov": "video/quicktime", "mp3": "audio/mpeg", "mp4": "video/mp4",
		"msg": "application/vnd.ms-outlook", "odp": "application/vnd.oasis.opendocument.presentation",
		"ods": "application/vnd.oasis.opendocument.spreadsheet", "odt": "application/vnd.oasis.opendocument.text",
		"ogg": "audio/ogg", "p7m": "application/pkcs7-mime", "p7s": "application/pkcs7-signature", "pdf": "application/pdf",
		"pem": "application/x-pem-file", "png": "image/png", "ppt": "application/vnd.ms-powerpoint",
		"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
		"ps":   "application/postscript", "rtf": "application/rtf", "svg": "image/svg+xml", "tar": "application/x-tar",
		"tgz": "application/gzip", "tif": "image/tiff", "tiff": "image/tiff", "tsv": "text/tab-separated-values",
		"txt": "text/plain", "vcf": "text/vcard", "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
		"xls":  "application/vnd.ms-excel",
		"xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
		"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"xml":  "application/xml", "xz": "application/x-xz", "yaml": "application/yaml", "yml": "application/yaml",
		"zip": "application/zip", "zst": "application/zstd",
	}
}}

// MediaType chooses the media type of a file by the extension of its name, else
// by its first octets. A text gets charset=utf-8 only when its beginning is
// UTF-8; a wrong charset is worse than none.
func MediaType(name string, head []byte) string {
	media := knownTypes.Get()[strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))]
	if media == "" {
		media, _, _ = strings.Cut(http.DetectContentType(head), ";")
	}
	if strings.HasPrefix(media, "text/") && isUTF8Beginning(head) {
		media += "; charset=utf-8"
	}
	return media
}

// isUTF8Beginning reports whether head is UTF-8, but for a character cut at its
// end.
func isUTF8Beginning(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(head)
		}
		head = head[n:]
	}
	return true
}
