package transaction_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/transaction"
)

func TestEachBlockOfALongTextHasItsOwnLimit(t *testing.T) {
	here, there := net.Pipe()
	var got bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&got, there)
	}()
	text := strings.Repeat(strings.Repeat("x", 70)+"\r\n.\r\n", 1<<20/75)
	conn := &countingDeadlines{Conn: here}
	if err := transaction.WriteContent(conn, time.Minute, []byte(text)); err != nil {
		t.Fatal(err)
	}
	here.Close()
	<-read
	if conn.n < 4 {
		t.Errorf("%d deadlines for %d octets", conn.n, len(text))
	}
	if want := strings.ReplaceAll(text, "\n.", "\n.."); got.String() != want {
		t.Errorf("the dots are not right: %d octets, want %d", got.Len(), len(want))
	}
}

// countingDeadlines counts how often writing got a new limit.
type countingDeadlines struct {
	net.Conn
	n int
}

func (c *countingDeadlines) SetWriteDeadline(at time.Time) error {
	c.n++
	return c.Conn.SetWriteDeadline(at)
}
