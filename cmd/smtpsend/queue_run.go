package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func newQueueRun(g *globals) *cobra.Command {
	var drain bool
	cmd := &cobra.Command{
		Use:   "run [--drain]",
		Short: "Submit what is due; with --drain until nothing is left that could be submitted",
		Long: `Submit what is due. A mailbox that pauses goes on by itself at the time that is
said. One that is held is tried by a sign-in when its time has come, and goes on
when that is accepted; --drain does not wait for it. Both say in a line why, and
how the mailbox goes on at once.

Exit codes: 0 what was due was submitted, within the limits; 75 something was deferred, or a mailbox
pauses although mail is due; 77 a mailbox is held; 4 in doubt; 3 messages were
refused.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runQueueRun(cmd.Context(), g, drain) },
	}
	cmd.Flags().BoolVar(&drain, "drain", false, "wait for what is due later, until nothing is left but what is held")
	return cmd
}

func runQueueRun(ctx context.Context, g *globals, drain bool) error {
	cfg, err := g.settings(ctx, false)
	if err != nil {
		return err
	}
	if cfg.NoMails {
		g.printf("not submitted: SMTPSEND_NO_MAILS=1\n")
		return nil
	}
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	sender, err := g.lock(ctx, box)
	if err != nil {
		return err
	}
	defer sender.Release()
	o, err := g.courierOptions(cfg)
	if err != nil {
		return err
	}
	t := &tally{g: g, cfg: cfg, waits: drain}
	o.Drain, o.Due, o.Settled, o.Probed = drain, !drain, t.settled, t.probed
	if drain {
		if err := g.notePauses(ctx, box); err != nil {
			return asExit(err)
		}
	}
	if err := courier.Run(ctx, box, sender, o); err != nil {
		return asExit(err)
	}
	if _, err := sender.Purge(context.WithoutCancel(ctx)); err != nil {
		return asExit(err)
	}
	if err := t.noteStopped(context.WithoutCancel(ctx), box); err != nil {
		return asExit(err)
	}
	return t.conclude(ctx)
}

// noteStopped says which mailboxes have mail that is not submitted while they are
// held, or pause although mail is due, so that a run that had nothing to do does not
// look well.
func (t *tally) noteStopped(ctx context.Context, box *outbox.Outbox) error {
	list, err := box.Mailboxes(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, m := range list {
		n := m.Counts[outbox.Ready]
		wait := fmt.Sprintf("%s for mailbox %s, which", plural(n, "1 message waits", fmt.Sprint(n)+" messages wait"), m.Name)
		switch {
		case n == 0 || t.stopped[m.Name]:
		case m.Pause == outbox.PauseOperator:
			t.g.line("note", "%s is held: smtpsend queue release --mailbox %s", wait, m.Name)
		case m.Stopped():
			t.stopped = with(t.stopped, m.Name)
			t.g.line("note", "%s is held (%s); %s", wait, m.Code, goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		case m.Pause != "" && !m.OldestDue.After(now):
			t.pausing++
			t.g.line("note", "%s pauses: %s; %s", wait, atMost(diagnosis.Short(m.Reason), 200), goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		}
	}
	return nil
}

// notePauses says what a run that waits for pauses will wait for.
func (g *globals) notePauses(ctx context.Context, box *outbox.Outbox) error {
	list, err := box.Mailboxes(ctx)
	now := time.Now()
	for _, m := range list {
		if m.Pause != "" && !m.Held() && m.Counts[outbox.Ready] > 0 {
			g.line("note", "mailbox %s pauses: %s; %s", m.Name, atMost(diagnosis.Short(m.Reason), 200), goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		}
	}
	return err
}

// with adds name to set, which may be nil.
func with[T comparable](set map[T]bool, name T) map[T]bool {
	if set == nil {
		set = make(map[T]bool)
	}
	set[name] = true
	return set
}

// goesOn says when a mailbox that pauses or is held goes on, and how it does at
// once.
func goesOn(mailbox string, until, probe, now time.Time) string {
	release := "smtpsend queue release --mailbox " + mailbox
	switch {
	case !until.IsZero():
		return fmt.Sprintf("it goes on by itself at %s, at once by: %s", clock(until, now), release)
	case probe.IsZero():
		return "it goes on by: " + release
	case !probe.After(now):
		return "the next queue run tries it by a sign-in; when it is fixed, at once by: " + release
	}
	return fmt.Sprintf("tried again by itself, by a sign-in, at %s; when it is fixed, at once by: %s", clock(probe, now), release)
}

// lock makes this process the one that submits, and says what the last one
// left.
func (g *globals) lock(ctx context.Context, box *outbox.Outbox) (*outbox.Sender, error) {
	sender, left, err := box.Lock(ctx)
	if err != nil {
		return nil, asExit(err)
	}
	if left.Again > 0 {
		g.warningf("the last run ended with %d %s on the way, surely not submitted: due again", left.Again, plural(left.Again, "message", "messages"))
	}
	if left.InDoubt > 0 {
		g.warningf("the last run left %d %s in doubt: submitted once more, with the same Message-ID", left.InDoubt, plural(left.InDoubt, "message", "messages"))
	}
	if left.Held > 0 {
		g.warningf("the last run left %d %s in doubt: held; see smtpsend queue ls --state held", left.Held, plural(left.Held, "message", "messages"))
	}
	return sender, nil
}

// tally counts what became of attempts, and says so.
type tally struct {
	g   *globals
	cfg *config.Config

	mu       sync.Mutex
	accepted int
	deferred int
	refused  int
	doubt    int
	later    map[outbox.QID]bool // messages whose last attempt was deferred, or made the mailbox pause
	pausing  int                 // mailboxes that pause at the end although mail is due
	stopped  map[string]bool     // mailboxes that are held
	told     map[string]bool     // mailboxes of which was said why they pause
	quiet    bool
	waits    bool // the run waits for pauses to end
}

func (t *tally) settled(c *outbox.Claim, r *submission.Receipt, s outbox.Settled) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.later, c.QID)
	switch {
	case s.State == outbox.Sent:
		t.accepted++
	case s.State == outbox.Dead:
		t.refused++
	case s.Event == outbox.EventInDoubt:
		t.doubt++
	case s.Event == outbox.EventDeferred:
		t.deferred++
		t.later = with(t.later, c.QID)
	case s.Event == outbox.EventThrottled, s.Event == outbox.EventUnreachable, s.Event == outbox.EventPaused:
		t.later = with(t.later, c.QID)
	}
	switch {
	case s.Held() && s.Pause != outbox.PauseOperator:
		t.stop(c, r, s)
	case s.Pause != "" && !s.Held():
		t.pause(c, r, s)
	}
	if !t.quiet && !t.g.json {
		t.g.printf("%s  %-12s%s%s\n", c.QID, s.Event, c.Mailbox, atMost(visible(tail(lastWords(r))), 140))
	}
}

// stop tells once why a mailbox is held.
func (t *tally) stop(c *outbox.Claim, r *submission.Receipt, s outbox.Settled) {
	if t.stopped[c.Mailbox] {
		return
	}
	t.stopped = with(t.stopped, c.Mailbox)
	if !t.explain(c, r) {
		return
	}
	t.g.line("note", "mailbox %s is held, and no message is lost; %s", c.Mailbox, goesOn(c.Mailbox, s.Until, s.Probe, time.Now()))
}

// pause tells once why a mailbox pauses; while the run waits for it, also until
// when.
func (t *tally) pause(c *outbox.Claim, r *submission.Receipt, s outbox.Settled) {
	if s.Pause == outbox.PauseServer && !t.told[c.Mailbox] {
		t.told = with(t.told, c.Mailbox)
		t.explain(c, r)
	}
	if t.waits || (t.quiet && s.Pause == outbox.PauseServer) { // a batch shows the others beside its rows
		t.g.line("note", "mailbox %s pauses; %s", c.Mailbox, goesOn(c.Mailbox, s.Until, s.Probe, time.Now()))
	}
}

// explain says what the catalogue knows of the failure of an attempt.
func (t *tally) explain(c *outbox.Claim, r *submission.Receipt) bool {
	if r == nil || r.Err() == nil {
		return false
	}
	known, claims := facts(t.cfg, c.Mailbox, "", r.Token)
	symptom := r.Err().Symptom()
	symptom.Claims = claims
	t.g.finding(diagnosis.Find(symptom, known), atMost(said(r.Err()), 400))
	return true
}

// probed tells how a held mailbox was tried.
func (t *tally) probed(p courier.Probed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case p.Settled.Pause == "":
		delete(t.stopped, p.Mailbox)
		t.g.line("note", "mailbox %s, which was held, signs in again and goes on", p.Mailbox)
	case p.Err != nil:
		t.g.line("note", "mailbox %s was tried by a sign-in and is still held: %s", p.Mailbox, atMost(said(p.Err), 200))
	}
}

// lastWords is what the server said last, or why it said nothing.
func lastWords(r *submission.Receipt) string {
	switch {
	case r == nil:
		return ""
	case r.Err() != nil:
		return said(r.Err())
	}
	return r.Reply.String()
}

// conclude prints the sums and gives the exit code: doubt first, then what
// needs somebody, then what passes.
func (t *tally) conclude(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	code := exitOK
	switch {
	case t.doubt > 0:
		code = exitInDoubt
	case len(t.stopped) > 0:
		code = exitNotAuthorised
	case ctx.Err() != nil:
		code = exitInterrupted
	case len(t.later) > 0, t.pausing > 0:
		code = exitTryAgain
	case t.refused > 0:
		code = exitPartly
	}
	text := fmt.Sprintf("%d accepted, %d deferred, %d refused, %d in doubt", t.accepted, t.deferred, t.refused, t.doubt)
	if t.g.json {
		t.g.printJSON(map[string]any{
			"accepted": t.accepted, "deferred": t.deferred, "refused": t.refused, "in_doubt": t.doubt,
			"stopped_mailboxes": len(t.stopped), "paused_mailboxes": t.pausing, "exit_code": code,
		})
	} else if !t.quiet {
		t.g.printf("%s\n", text)
	}
	if code == exitOK {
		return nil
	}
	return &exitError{code: code, err: errors.New(text), shown: true}
}

func newQueueWhy(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "why [MAILBOX...]",
		Short: "Say how each mailbox stands: what waits, what holds it, and until when",
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error { return runQueueWhy(cmd.Context(), g, box, args) })
		},
	}
}

func runQueueWhy(ctx context.Context, g *globals, box *outbox.Outbox, names []string) error {
	list, err := box.Mailboxes(ctx)
	if len(names) > 0 {
		list = nil
		for _, name := range names {
			m, e := box.Mailbox(ctx, name)
			list, err = append(list, m), errors.Join(err, e)
		}
	}
	if err != nil {
		return asExit(err)
	}
	if g.json {
		views := []mailboxView{}
		for _, m := range list {
			views = append(views, newMailboxView(m))
		}
		g.printJSON(map[string]any{"mailboxes": views, "exit_code": exitOK})
		return nil
	}
	if len(list) == 0 {
		g.printf("no mailboxes\n")
	}
	for _, m := range list {
		g.printMailbox(m)
	}
	return nil
}

func (g *globals) printMailbox(m outbox.Mailbox) {
	g.printf("%s: %d ready, %d sending, %d held; %d of %d messages in the last minute, %d of %d recipients in the last 24 hours\n",
		m.Name, m.Counts[outbox.Ready], m.Counts[outbox.Sending], m.Counts[outbox.Held],
		m.Messages, m.Limits.PerMinute, m.Recipients, m.Limits.RecipientsPerDay)
	now := time.Now()
	switch {
	case m.Reason == "" && m.Counts[outbox.Ready] == 0:
		g.printf("    nothing waits\n")
	case m.Reason == "":
		g.printf("    nothing holds it: smtpsend queue run submits what is due\n")
	case m.Held():
		g.printf("    %s\n    %s\n", visible(diagnosis.Short(m.Reason)), goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
	default:
		g.printf("    %s, until %s\n", visible(diagnosis.Short(m.Reason)), clock(m.WaitsUntil, now))
	}
	if !m.Since.IsZero() {
		g.printf("    since %s\n", clock(m.Since, now))
	}
	if m.Code != "" {
		g.printf("    more: smtpsend explain %s\n", m.Code)
	}
}

func newQueueStats(g *globals) *cobra.Command {
	var span string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count what waits and what was finished",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error { return runQueueStats(cmd.Context(), g, box, span) })
		},
	}
	cmd.Flags().StringVar(&span, "since", "24h", "count what was finished since `TIME`")
	return cmd
}

func runQueueStats(ctx context.Context, g *globals, box *outbox.Outbox, span string) error {
	from, err := timeOf(span, time.Now())
	if err != nil {
		return err
	}
	finished, err := box.Finished(ctx, from)
	if err != nil {
		return asExit(err)
	}
	mailboxes, err := box.Mailboxes(ctx)
	if err != nil {
		return asExit(err)
	}
	waiting := make(map[outbox.State]int)
	held, paused := 0, 0
	for _, m := range mailboxes {
		switch {
		case m.Held():
			held++
		case m.Pause != "":
			paused++
		}
		for state, n := range m.Counts {
			waiting[state] += n
		}
	}
	if g.json {
		g.printJSON(map[string]any{"waiting": waiting, "finished": finished, "since": from, "mailboxes": len(mailboxes),
			"held_mailboxes": held, "paused_mailboxes": paused, "exit_code": exitOK})
		return nil
	}
	g.printf("waiting   %d ready, %d sending, %d held, in %d %s\n", waiting[outbox.Ready], waiting[outbox.Sending], waiting[outbox.Held],
		len(mailboxes), plural(len(mailboxes), "mailbox", "mailboxes"))
	if held+paused > 0 {
		g.printf("          %d %s held, %d paused: smtpsend queue why\n", held, plural(held, "mailbox", "mailboxes"), paused)
	}
	g.printf("finished  %d sent, %d dead, %d cancelled since %s\n", finished[outbox.Sent], finished[outbox.Dead], finished[outbox.Cancelled],
		from.Local().Format("2006-01-02 15:04"))
	return nil
}
