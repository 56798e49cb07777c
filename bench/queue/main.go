//go:build unix

// Command queue measures how fast the outbox takes messages of 2 KB, durably, in
// turn with Postfix's queue on the same disk, and what a long backlog costs.
// Postfix (root, and smtp-source, are needed) gets them by SMTP on loopback, over
// sessions that stay open, and keeps them on hold: it delivers nothing meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/bench/internal/command"
	"github.com/smtpsend/smtpsend/bench/internal/postfix"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

func main() {
	command.Main("queue", func(ctx context.Context, args []string) error { return run(ctx, args, os.Stdout) })
}

// settings are those of one run.
type settings struct {
	messages, rounds, backlog int
	dir                       string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	f := flag.NewFlagSet("queue", flag.ContinueOnError)
	f.IntVar(&s.messages, "messages", 5000, "messages in each measurement")
	f.IntVar(&s.rounds, "rounds", 3, "measurements of each kind; the median counts")
	f.IntVar(&s.backlog, "backlog", 100_000, "messages of the long backlog")
	beside := f.Bool("postfix", true, "measure beside Postfix (needs root)")
	dir := f.String("dir", "", "directory on the disk to measure (default: that for temporary files)")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if s.dir, err = os.MkdirTemp(*dir, "queue-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	if err := os.Chmod(s.dir, 0o755); err != nil { // Postfix's own user goes through it
		return err
	}
	if *beside {
		if err := s.taking(ctx, out); err != nil {
			return err
		}
	}
	return s.waiting(ctx, out)
}

// taking measures both queues in turn.
func (s settings) taking(ctx context.Context, out io.Writer) error {
	p, err := postfix.Start(ctx, s.dir)
	if err != nil {
		return err
	}
	defer p.Stop()
	fmt.Fprintf(out, "| messages taken a second | outbox | Postfix |\n|---|---|---|\n")
	for _, producers := range []int{1, 10} {
		var ours, theirs []float64
		for round := range s.rounds {
			box, err := s.open(fmt.Sprintf("taking-%d-%d", producers, round))
			if err != nil {
				return err
			}
			mine, err := rate(s.messages, func() error { return fill(ctx, box, producers, s.messages) })
			if err = errors.Join(err, box.Close()); err != nil {
				return err
			}
			other, err := rate(s.messages, func() error { return postfix.Submit(ctx, p.Addr, producers, s.messages) })
			if err != nil {
				return err
			}
			ours, theirs = append(ours, mine), append(theirs, other)
		}
		fmt.Fprintf(out, "| %d at a time | %.0f | %.0f |\n", producers, median(ours), median(theirs))
	}
	return nil
}

// piece is how many messages each outbox gets in turn: short, so that what else
// the machine does meets both alike.
const piece = 250

// waiting measures an outbox that is empty and one with the long backlog, in
// turn.
func (s settings) waiting(ctx context.Context, out io.Writer) error {
	short, err := s.open("short")
	if err != nil {
		return err
	}
	defer short.Close()
	long, err := s.open("long")
	if err != nil {
		return err
	}
	defer long.Close()
	if err := fill(ctx, long, 64, s.backlog); err != nil {
		return err
	}
	var add, claim [2][]float64
	for range s.rounds * s.messages / piece {
		for i, box := range []*outbox.Outbox{short, long} {
			a, err := rate(piece, func() error { return fill(ctx, box, 1, piece) })
			if err != nil {
				return err
			}
			c, err := rate(piece, func() error { return drain(ctx, box, piece) })
			if err != nil {
				return err
			}
			add[i], claim[i] = append(add[i], a), append(claim[i], c)
		}
	}
	fmt.Fprintf(out, "\n| a second, one at a time | none queued | %d queued |\n|---|---|---|\n", s.backlog)
	fmt.Fprintf(out, "| messages taken | %.0f | %.0f |\n| messages claimed, allowed and recorded as sent | %.0f | %.0f |\n",
		median(add[0]), median(add[1]), median(claim[0]), median(claim[1]))
	return nil
}

// open makes an outbox whose limits do not stop the measurement: its minutes and
// days are milliseconds long.
func (s settings) open(name string) (*outbox.Outbox, error) {
	return outbox.Open(context.Background(), filepath.Join(s.dir, name), outbox.Options{
		Minute: time.Millisecond, Day: 10 * time.Millisecond, AnyFileSystem: true,
	})
}

const submitter = "reports@contoso.example"

// content is of 2 KB.
var content = "From: reports@contoso.example\r\nTo: kim@fabrikam.example\r\nSubject: report\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 27)

// fill adds n messages from several producers.
func fill(ctx context.Context, box *outbox.Outbox, producers, n int) error {
	errs := make([]error, producers)
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := p; i < n && errs[p] == nil; i += producers {
				_, _, errs[p] = box.Accept(ctx, spool.Message{
					Mailbox: submitter, MessageID: "<1@contoso.example>",
					Envelope: mailobject.Envelope{ReversePath: submitter, ForwardPaths: []string{"kim@fabrikam.example"}},
				}, strings.NewReader(content))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// drain submits n messages to no one.
func drain(ctx context.Context, box *outbox.Outbox, n int) error {
	sender, _, err := box.Lock(ctx)
	if err != nil {
		return err
	}
	defer sender.Release()
	for range n {
		var c *outbox.Claim
		for c == nil {
			c, err = sender.Claim(ctx, submitter)
			var wait *mailbox.WaitError
			if err != nil && !errors.As(err, &wait) {
				return err
			}
		}
		if err := sender.AllowData(ctx, c); err != nil {
			return err
		}
		accepted := []outbox.Recipient{{Recipient: smtp.Recipient{ForwardPath: c.Envelope.ForwardPaths[0], Outcome: smtp.Accepted}}}
		if _, err := sender.Finish(ctx, c, outbox.Result{Recipients: accepted}); err != nil {
			return err
		}
	}
	return nil
}

// rate is how many of n a second do handled.
func rate(n int, do func() error) (float64, error) {
	start := time.Now()
	err := do()
	return float64(n) / time.Since(start).Seconds(), err
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
