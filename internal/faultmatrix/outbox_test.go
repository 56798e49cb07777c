//go:build unix

package faultmatrix_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/session"
)

// scaled is the outbox's minute beside these servers: half an hour takes 60 ms.
const scaled = 2 * time.Millisecond

// TestAMailboxComesBack lets the outbox meet each fault in its first connection,
// after which the server is well: its message goes out, or is refused for itself,
// without anybody's doing, and is stored once unless a doubt is recorded.
func TestAMailboxComesBack(t *testing.T) {
	noLeak(t)
	list := slices.DeleteFunc(cells(), func(c cell) bool { return !c.pipelining || c.empty334 })
	var results results
	inParallelBy(12, oneIn(3*thinning, list), func(c cell) {
		if strings.Contains(c.String(), *only) {
			results.add(comeBack(c))
		}
	})
	results.report(t)
}

func comeBack(c cell) (res result) {
	res.name = c.String()
	s, err := serve(&server{cell: c})
	if err != nil {
		res.wrong = append(res.wrong, err.Error())
		return res
	}
	start := time.Now()
	d, box, err := queued(s, c)
	res.took = time.Since(start)
	if err == nil {
		err = s.close()
	}
	if err != nil {
		res.wrong = append(res.wrong, err.Error())
		return res
	}
	res.outcome, res.attempts = string(d.State), s.connections()
	stored := len(s.kept())
	refused := c.fault == permanent && c.stage >= mailFrom
	switch {
	case d.State == outbox.Sent && stored == 0, d.State == outbox.Dead && !refused, d.State == outbox.Held && d.InDoubt < 2, d.State == outbox.Ready:
		res.wrong = append(res.wrong, fmt.Sprintf("%s and stored %d times; %d doubts, %s %s", d.State, stored, d.InDoubt, d.Why, d.Text))
	case stored > 1+d.InDoubt:
		res.wrong = append(res.wrong, fmt.Sprintf("stored %d times with %d doubts", stored, d.InDoubt))
	case d.State == outbox.Sent && (box.Pause != "" || !box.Since.IsZero()):
		res.wrong = append(res.wrong, fmt.Sprintf("after it was sent the mailbox is %+v", box))
	}
	return res
}

// queued submits a message from an outbox until it is over or held.
func queued(s *server, c cell) (d operator.Detail, m operator.Mailbox, err error) {
	dir, err := os.MkdirTemp("", "comeback")
	if err != nil {
		return d, m, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	box, err := outbox.Open(ctx, dir, outbox.Options{AnyFileSystem: true, Reserve: -1, Minute: scaled, Day: 24 * 60 * scaled})
	if err != nil {
		return d, m, err
	}
	defer box.Close()
	sender, _, err := box.Lock(ctx)
	if err != nil {
		return d, m, err
	}
	defer sender.Release()
	mail, _, err := compose("a@contoso.example")
	if err != nil {
		return d, m, err
	}
	defer mail.Close()
	qid, _, err := box.AcceptContent(ctx, spool.Message{
		Mailbox: mailbox, Envelope: mail.Envelope, MessageID: mail.MessageID, Size: mail.Content.Size(),
	}, mail.Content)
	if err != nil {
		return d, m, err
	}
	o := s.options()
	if c.fault.timed() {
		o.Timeouts = limits(shortest)
	}
	err = courier.Run(ctx, box, sender, courier.Options{
		Connection: func(string) (session.Options, error) { return o, nil }, Poll: 5 * time.Millisecond,
		Until: func(ctx context.Context) (over bool, err error) {
			d, err = operator.Show(ctx, box, qid)
			return d.State != outbox.Ready && d.State != outbox.Sending, err
		},
	})
	if err == nil {
		m, err = operator.OneMailbox(context.WithoutCancel(ctx), box, mailbox)
	}
	return d, m, err
}
