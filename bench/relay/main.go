//go:build linux

// Command relay measures smtpsend's relay: how many messages of 2 KB it takes durably in
// a second, in turn with Postfix on the same disk, and what it costs while its clients do
// nothing. smtp-source of Postfix sends to both over sessions that stay open, and both keep
// what they take: Postfix holds it, and the relay has SMTPSEND_NO_MAILS. It needs root.
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
	"time"

	"github.com/smtpsend/smtpsend/bench/internal/command"
	"github.com/smtpsend/smtpsend/bench/internal/postfix"
)

func main() {
	command.Main("relay", func(ctx context.Context, args []string) error { return run(ctx, args, os.Stdout) })
}

// settings are those of one run.
type settings struct {
	messages, rounds, connections int
	dir, binary                   string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	f := flag.NewFlagSet("relay", flag.ContinueOnError)
	f.IntVar(&s.messages, "messages", 3000, "messages in each measurement")
	f.IntVar(&s.rounds, "rounds", 5, "measurements of each kind; the median counts")
	f.IntVar(&s.connections, "connections", 1000, "clients that do nothing")
	dir := f.String("dir", "", "directory on the disk to measure (default: that for temporary files)")
	output := f.String("o", "", "write the tables to this file, too")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if s.dir, err = os.MkdirTemp(*dir, "relay-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	if err := os.Chmod(s.dir, 0o755); err != nil { // Postfix's own user goes through it
		return err
	}
	s.binary = filepath.Join(s.dir, "smtpsend")
	if err := build(ctx, s.binary); err != nil {
		return err
	}
	r := &report{began: time.Now()}
	if err := s.taking(ctx, r); err != nil {
		return err
	}
	if err := s.idling(ctx, r); err != nil {
		return err
	}
	if *output != "" {
		err = os.WriteFile(*output, []byte(r.document()), 0o644)
	}
	_, e := io.WriteString(out, r.document())
	return errors.Join(err, e)
}

// taking measures both in turn, so that what else the machine does meets both alike.
func (s settings) taking(ctx context.Context, r *report) error {
	p, err := postfix.Start(ctx, s.dir)
	if err != nil {
		return err
	}
	defer p.Stop()
	ours, err := s.start(ctx, "taking", "SMTPSEND_NO_MAILS=1")
	if err != nil {
		return err
	}
	defer ours.stop()
	for _, sessions := range []int{1, 10} {
		t := taken{sessions: sessions}
		for range s.rounds {
			for _, side := range []struct {
				addr string
				list *[]float64
			}{{ours.clear, &t.ours}, {p.Addr, &t.theirs}} {
				began := time.Now()
				if err := postfix.Submit(ctx, side.addr, sessions, s.messages); err != nil {
					return err
				}
				*side.list = append(*side.list, float64(s.messages)/time.Since(began).Seconds())
			}
		}
		r.taken = append(r.taken, t)
	}
	return nil
}

// idling measures a relay whose clients do nothing: with none, with many, with many by TLS.
func (s settings) idling(ctx context.Context, r *report) error {
	for _, kind := range []struct {
		name        string
		connections int
		tls         bool
		bound       int64
	}{
		{"idle", 0, false, 25},
		{fmt.Sprintf("%d idle connections", s.connections), s.connections, false, 60},
		{fmt.Sprintf("%d idle connections by TLS", s.connections), s.connections, true, 80},
	} {
		ours, err := s.start(ctx, strings.ReplaceAll(kind.name, " ", "-"))
		if err != nil {
			return err
		}
		i := idle{name: kind.name, bound: kind.bound}
		err = ours.hold(ctx, kind.connections, kind.tls, &i)
		ours.stop()
		if err != nil {
			return err
		}
		r.idle = append(r.idle, i)
	}
	return nil
}

// median is that of values, which it sorts.
func median[T float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}
