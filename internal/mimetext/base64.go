package mimetext

import "encoding/base64"

// Base64Row is how many octets a line of base64 holds (RFC 2045 6.8): 76
// characters.
const Base64Row = 57

// Base64Size is the size of n octets in lines of 76 characters, the last line
// ended as well.
func Base64Size(n int64) int64 {
	encoded := (n + 2) / 3 * 4
	return encoded + (encoded+75)/76*2
}

// Base64Lines puts src into dst, which has room for Base64Size octets, in whole
// lines with CRLF, and returns what it filled. Only the last piece of a file may
// be something else than a multiple of Base64Row.
func Base64Lines(dst, src []byte) []byte {
	n := 0
	for len(src) > 0 {
		row := src[:min(Base64Row, len(src))]
		src = src[len(row):]
		base64.StdEncoding.Encode(dst[n:], row)
		n += base64.StdEncoding.EncodedLen(len(row))
		dst[n], dst[n+1] = '\r', '\n'
		n += 2
	}
	return dst[:n]
}
