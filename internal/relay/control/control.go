// Package control is how another process of the same user, or of root, asks a relay that
// runs to do something: by a Unix socket in the relay's state directory.
//
// A request is a line with one word. The reply is one JSON object. Nothing else is said,
// and a request that takes too long to come is not waited for.
package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/listener"
)

// Reload asks the relay to read its settings again.
const Reload = "reload"

// ErrNotRunning says that no relay runs with the state directory.
var ErrNotRunning = errors.New("no relay runs with this state directory")

// RefusedError is what the relay answered instead of doing what it was asked for.
type RefusedError struct{ Reason string }

// Error is the relay's reason.
func (e *RefusedError) Error() string { return e.Reason }

// Limits of a request and of a reply.
const (
	maxLine     = 100
	maxReply    = 4 << 20
	requestTime = 5 * time.Second
	replyTime   = 2 * time.Minute // after which Ask does not wait any more
)

// path is the socket in a state directory.
func path(stateDir string) string { return filepath.Join(stateDir, "relay.sock") }

// reply is what the relay says.
type reply struct {
	Error string `json:"error"` // "" = done
}

// Listen opens the socket. One relay at a time has it; the error says so.
func Listen(ctx context.Context, stateDir string) (net.Listener, error) {
	if err := ownfile.MakeDir(stateDir); err != nil { // of this user alone, not as listeners make one
		return nil, err
	}
	l, err := listener.Open(ctx, listener.Options{Address: listener.Address{Kind: listener.Unix, Path: path(stateDir)}})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Serve answers until l is closed: do is called with each word that was asked for, one at
// a time. Others than this user and root are not answered.
func Serve(l net.Listener, do func(word string) error) {
	failed := 0 // in a row
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of file descriptors, most likely
			failed++
			_ = backoff.Sleep(context.Background(), backoff.Doubling(5*time.Millisecond, time.Second, failed))
			continue
		}
		failed = 0
		answer(c, do)
	}
}

func answer(c net.Conn, do func(word string) error) {
	defer c.Close()
	who, known := c.RemoteAddr().(listener.LocalUser)
	if ours := known && (who.UID == 0 || who.UID == os.Geteuid()); !ours {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(requestTime))
	scanner := bufio.NewScanner(c)
	scanner.Buffer(nil, maxLine)
	if !scanner.Scan() {
		return
	}
	var r reply
	if err := do(scanner.Text()); err != nil {
		r.Error = err.Error()
	}
	_ = c.SetWriteDeadline(time.Now().Add(requestTime))
	_ = json.NewEncoder(c).Encode(r)
}

// Ask asks the relay of a state directory, and waits for what comes of it. The error is
// ErrNotRunning, *RefusedError, or that of the connection.
func Ask(ctx context.Context, stateDir, word string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path(stateDir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: %s", ErrNotRunning, stateDir)
	}
	if err != nil {
		return fmt.Errorf("asking the relay: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(replyTime))
	if _, err := fmt.Fprintln(c, word); err != nil {
		return fmt.Errorf("asking the relay: %w", err)
	}
	var r reply
	if err := json.NewDecoder(io.LimitReader(c, maxReply)).Decode(&r); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("waiting for the relay: %w", err)
	}
	if r.Error != "" {
		return &RefusedError{r.Error}
	}
	return nil
}
