package listener

import (
	"bytes"
	"io"
	"net"
)

// ReadHeader reads the header of a proxy at 127.0.0.1, and returns what is after it.
func ReadHeader(sent []byte) (client string, rest []byte, err error) {
	r := bytes.NewReader(sent)
	addr, err := readProxy(r, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", nil, err
	}
	rest, err = io.ReadAll(r)
	return addr.String(), rest, err
}
