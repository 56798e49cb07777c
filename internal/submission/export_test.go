package submission

import (
	"net"
	"time"
)

// WriteContent writes content to conn as a transaction does, with a limit for
// each block.
func WriteContent(conn net.Conn, perBlock time.Duration, content []byte) error {
	w := newWire(conn, func(string) {})
	if _, err := newDotWriter(w, perBlock).Write(content); err != nil {
		return err
	}
	return w.bw.Flush()
}

// Veiled is what a session that authenticated with token and response makes of
// a server's text.
func Veiled(token string, response []byte, text string) string {
	return newVeil(token, response).hide(text)
}
