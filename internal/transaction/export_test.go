package transaction

import (
	"net"
	"time"

	"github.com/smtpsend/smtpsend/internal/wire"
)

// WriteContent writes content to conn as a transaction does, with a limit for
// each block.
func WriteContent(conn net.Conn, perBlock time.Duration, content []byte) error {
	w := wire.New(conn, func(string) {})
	if _, err := newDotWriter(w, perBlock).Write(content); err != nil {
		return err
	}
	return w.Flush()
}
