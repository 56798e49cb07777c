// Package licences holds what the licences of others ask a copy of this program to
// carry: their notices, for every module that is linked in on any system, and
// for Go. `go test ./cmd/smtpsend -update` writes them, here and into
// THIRD_PARTY_NOTICES.txt at the top.
package licences

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for compressed
	"io"
)

//go:embed notices.txt.gz
var compressed []byte

// Text is the whole of THIRD_PARTY_NOTICES.txt, in UTF-8 with LF. An error
// means that the program is damaged.
func Text() (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}
