package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/printable"
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

Exit codes: 0 what was due was submitted, within the limits; 4 in doubt; 3 some
were submitted and others refused. Else the reason why mail waits or was refused,
as send has it: 75 time fixes it, 76 TLS or protocol, 77 a refused sign-in, 69 a
refusal.`,
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
		g.Printf("not submitted: SMTPSEND_NO_MAILS=1\n")
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
	t := g.newTally(cfg)
	t.waits = drain
	o.Drain, o.Due, o.Settled, o.Probed = drain, !drain, t.settled, t.probed
	if drain {
		if err := g.notePauses(ctx, box); err != nil {
			return exit.Outbox(err)
		}
	}
	if err := courier.Run(ctx, box, sender, o); err != nil {
		return exit.Outbox(err)
	}
	if _, err := sender.Purge(context.WithoutCancel(ctx)); err != nil {
		return exit.Outbox(err)
	}
	if err := t.noteStopped(context.WithoutCancel(ctx), box); err != nil {
		return exit.Outbox(err)
	}
	return t.conclude(ctx)
}

// noteStopped says which mailboxes have mail that is not submitted while they are
// held, or pause although mail is due, so that a run that had nothing to do does not
// look well.
func (t *tally) noteStopped(ctx context.Context, box *outbox.Outbox) error {
	list, err := operator.Mailboxes(ctx, box)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, m := range list {
		n := m.Counts[outbox.Ready]
		wait := fmt.Sprintf("%s for mailbox %s, which", plural(n, "1 message waits", fmt.Sprint(n)+" messages wait"), m.Name)
		_, told := t.stopped[m.Name]
		switch {
		case n == 0 || told:
		case m.Pause == mailbox.PauseOperator:
			t.g.Line("note", "%s is held: %s", wait, courier.ReleaseCommand(m.Name))
		case m.Stopped():
			t.stopped[m.Name] = t.pauseCode(m)
			t.g.Line("note", "%s is held (%s); %s", wait, m.Code, goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		case m.Pause != "" && !m.OldestDue.After(now):
			t.pauses = append(t.pauses, t.pauseCode(m))
			t.g.Line("note", "%s pauses: %s; %s", wait, atMost(diagnosis.Short(mailboxReason(m.Wait)), 200), goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		}
	}
	return nil
}

// notePauses says what a run that waits for pauses will wait for.
func (g *globals) notePauses(ctx context.Context, box *outbox.Outbox) error {
	list, err := operator.Mailboxes(ctx, box)
	now := time.Now()
	for _, m := range list {
		if m.Pause != "" && !m.Held() && m.Counts[outbox.Ready] > 0 {
			g.Line("note", "mailbox %s pauses: %s; %s", m.Name, atMost(diagnosis.Short(mailboxReason(m.Wait)), 200), goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		}
	}
	return err
}

// pauseCode is the exit code of what a mailbox waits for: as this run saw it, else
// as the outbox remembers it. A refusal that the catalogue does not know and that
// stops a mailbox is one of its sign-in.
func (t *tally) pauseCode(m operator.Mailbox) int {
	code, seen := t.stopped[m.Name]
	if seen {
		return code
	}
	code = exit.RememberedCode(m.Code, 0)
	if code == exit.Refused && m.Pause == mailbox.PauseConfiguration {
		return exit.NotAuthorised
	}
	return code
}

// goesOn says when a mailbox that pauses or is held goes on, and how it does at
// once.
func goesOn(mailbox string, until, probe, now time.Time) string {
	release := courier.ReleaseCommand(mailbox)
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
		return nil, exit.Outbox(err)
	}
	if left.Again > 0 {
		g.Warningf("the last run ended with %d %s on the way, surely not submitted: due again", left.Again, plural(left.Again, "message", "messages"))
	}
	if left.InDoubt > 0 {
		g.Warningf("the last run left %d %s in doubt: submitted once more, with the same Message-ID", left.InDoubt, plural(left.InDoubt, "message", "messages"))
	}
	if left.Held > 0 {
		g.Warningf("the last run left %d %s in doubt: held; see smtpsend queue ls --state held", left.Held, plural(left.Held, "message", "messages"))
	}
	return sender, nil
}

// tally counts what became of attempts, and says so.
type tally struct {
	g     *globals
	cfg   *config.Config
	batch int64 // the exit code is about this one's messages alone; 0: about all

	mu       sync.Mutex
	accepted int
	deferred int
	refused  int
	doubt    int
	waiting  map[queueid.ID]int // exit code of the last failure of what waits
	lost     []int              // exit codes of what was given up
	partly   bool               // something that was given up was accepted for some
	stopped  map[string]int     // mailboxes that are held, with the exit code for it
	pauses   []int              // exit codes of what other mailboxes with due mail wait for
	told     map[string]bool    // mailboxes of which was said why they pause
	quiet    bool
	waits    bool // the run waits for pauses to end
}

func (g *globals) newTally(cfg *config.Config) *tally {
	return &tally{g: g, cfg: cfg, waiting: make(map[queueid.ID]int), stopped: make(map[string]int), told: make(map[string]bool)}
}

func (t *tally) settled(c *outbox.Claim, r *submission.Receipt, s outbox.Settled) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case s.State == outbox.Sent:
		t.accepted++
	case s.State == outbox.Dead:
		t.refused++
	case s.Event == outbox.EventInDoubt:
		t.doubt++
	case s.Event == outbox.EventDeferred:
		t.deferred++
	}
	finding := t.found(c, r)
	t.keep(c, s, attemptCode(r, finding))
	if !s.Held() {
		delete(t.stopped, c.Mailbox) // somebody has released it since
	}
	switch {
	case s.Held() && s.Pause != mailbox.PauseOperator:
		t.stop(c, r, s, finding)
	case s.Pause != "" && !s.Held():
		t.pause(c, r, s, finding)
	}
	if !t.quiet && !t.g.json {
		t.g.Printf("%s  %-12s%s%s\n", c.QID, s.Event, c.Mailbox, atMost(printable.Line(tail(lastWords(c, r))), 140))
	}
}

// found names what kept a message from anyone, as send does.
func (t *tally) found(c *outbox.Claim, r *submission.Receipt) diagnosis.Finding {
	if r == nil {
		return diagnosis.Finding{}
	}
	e, to := r.Failure()
	if e == nil {
		return diagnosis.Finding{}
	}
	known, claims := facts(t.cfg, c.Mailbox, "", r.Token)
	known.Recipient, known.MessageID = to, c.MessageID
	symptom := e.Symptom()
	symptom.Claims = claims
	return diagnosis.Find(symptom, known)
}

// attemptCode is the exit code that send would have ended with, had nothing been
// accepted.
func attemptCode(r *submission.Receipt, found diagnosis.Finding) int {
	if r == nil {
		return exit.Config // the settings allow no connection
	}
	return exit.EndingOf(r, found).Worst()
}

// keep remembers how the message stands after the attempt.
func (t *tally) keep(c *outbox.Claim, s outbox.Settled, code int) {
	if t.batch != 0 && c.Batch != t.batch {
		return
	}
	delete(t.waiting, c.QID)
	switch {
	case s.State == outbox.Dead:
		t.lost = append(t.lost, lostCode(code))
		t.partly = t.partly || s.Partly
	case s.State == outbox.Ready && s.Event != outbox.EventReturned && s.Event != outbox.EventInDoubt:
		t.waiting[c.QID] = code
	}
}

// lostCode is the exit code of a message that is not tried again, whose last
// failure has the code: one that passes was met for as long as it may be.
func lostCode(code int) int {
	if code == exit.TryAgain {
		return exit.Refused
	}
	return code
}

// failures are the exit codes of all that was not accepted.
func (t *tally) failures() []int {
	return slices.Concat(slices.Collect(maps.Values(t.waiting)), slices.Collect(maps.Values(t.stopped)), t.pauses, t.lost)
}

// stop tells once why a mailbox is held.
func (t *tally) stop(c *outbox.Claim, r *submission.Receipt, s outbox.Settled, found diagnosis.Finding) {
	if _, told := t.stopped[c.Mailbox]; told {
		return
	}
	t.stopped[c.Mailbox] = attemptCode(r, found)
	if !t.explain(r, found) {
		return
	}
	t.g.Line("note", "mailbox %s is held, and no message is lost; %s", c.Mailbox, goesOn(c.Mailbox, s.Until, s.Probe, time.Now()))
}

// pause tells once why a mailbox pauses; while the run waits for it, also until
// when.
func (t *tally) pause(c *outbox.Claim, r *submission.Receipt, s outbox.Settled, found diagnosis.Finding) {
	if s.Pause == mailbox.PauseServer && !t.told[c.Mailbox] {
		t.told[c.Mailbox] = true
		t.explain(r, found)
	}
	if t.waits || (t.quiet && s.Pause == mailbox.PauseServer) { // a batch shows the others beside its rows
		t.g.Line("note", "mailbox %s pauses; %s", c.Mailbox, goesOn(c.Mailbox, s.Until, s.Probe, time.Now()))
	}
}

// explain says what the catalogue knows of the failure of an attempt.
func (t *tally) explain(r *submission.Receipt, found diagnosis.Finding) bool {
	if r == nil || r.Err() == nil {
		return false
	}
	t.g.finding(found, atMost(said(r.Err()), 400))
	return true
}

// probed tells how a held mailbox was tried.
func (t *tally) probed(p courier.Probed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case p.Settled.Pause == "":
		delete(t.stopped, p.Mailbox)
		t.g.Line("note", "mailbox %s, which was held, signs in again and goes on", p.Mailbox)
	case p.Err != nil:
		t.g.Line("note", "mailbox %s was tried by a sign-in and is still held: %s", p.Mailbox, atMost(said(p.Err), 200))
	}
}

// lastWords is what the server said last, or why it said nothing.
func lastWords(c *outbox.Claim, r *submission.Receipt) string {
	if r == nil {
		return ""
	}
	e := r.Err()
	if e == nil {
		return r.Reply.String()
	}
	var wait *mailbox.WaitError
	if errors.As(e, &wait) {
		return fmt.Sprintf("allowing the content of %s: %s waits: %s", c.QID, wait.Mailbox, mailboxReason(wait))
	}
	return said(e)
}

// conclude prints the sums and ends the verb.
func (t *tally) conclude(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := exit.Ending{
		Accepted: t.accepted, Refused: len(t.lost), Kept: len(t.waiting) + len(t.stopped) + len(t.pauses), InDoubt: t.doubt, Failures: t.failures(),
	}
	if t.partly {
		e.Accepted++
	}
	if ctx.Err() != nil {
		e.Broken = exit.Interrupted
	}
	code := e.Code()
	text := fmt.Sprintf("%d accepted, %d deferred, %d refused, %d in doubt", t.accepted, t.deferred, t.refused, t.doubt)
	if t.g.json {
		t.g.JSON(map[string]any{
			"accepted": t.accepted, "deferred": t.deferred, "refused": t.refused, "in_doubt": t.doubt,
			"stopped_mailboxes": len(t.stopped), "paused_mailboxes": len(t.pauses), "exit_code": code,
		})
	} else if !t.quiet {
		t.g.Printf("%s\n", text)
	}
	if code == exit.OK {
		return nil
	}
	return &exit.Error{Code: code, Err: errors.New(text), Shown: true}
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
	list, err := operator.Mailboxes(ctx, box)
	if len(names) > 0 {
		list = nil
		for _, name := range names {
			m, e := operator.OneMailbox(ctx, box, name)
			list, err = append(list, m), errors.Join(err, e)
		}
	}
	if err != nil {
		return exit.Outbox(err)
	}
	if g.json {
		views := []mailboxView{}
		for _, m := range list {
			views = append(views, newMailboxView(m))
		}
		g.JSON(map[string]any{"mailboxes": views, "exit_code": exit.OK})
		return nil
	}
	if len(list) == 0 {
		g.Printf("no mailboxes\n")
	}
	for _, m := range list {
		g.printMailbox(m)
	}
	return nil
}

func (g *globals) printMailbox(m operator.Mailbox) {
	g.Printf("%s: %d ready, %d sending, %d held; %d of %d messages in the last minute, %d of %d recipients in the last 24 hours\n",
		m.Name, m.Counts[outbox.Ready], m.Counts[outbox.Sending], m.Counts[outbox.Held],
		m.Messages, m.Limits.PerMinute, m.Recipients, m.Limits.RecipientsPerDay)
	now := time.Now()
	switch {
	case m.Wait == nil && m.Counts[outbox.Ready] == 0:
		g.Printf("    nothing waits\n")
	case m.Wait == nil:
		g.Printf("    nothing holds it: smtpsend queue run submits what is due\n")
	case m.Held():
		g.Printf("    %s\n    %s\n", printable.Line(diagnosis.Short(mailboxReason(m.Wait))), goesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
	default:
		g.Printf("    %s, until %s\n", printable.Line(diagnosis.Short(mailboxReason(m.Wait))), clock(m.WaitsUntil, now))
	}
	if !m.Since.IsZero() {
		g.Printf("    since %s\n", clock(m.Since, now))
	}
	if m.Code != "" {
		g.Printf("    more: smtpsend explain %s\n", m.Code)
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
	finished, err := operator.Finished(ctx, box, from)
	if err != nil {
		return exit.Outbox(err)
	}
	mailboxes, err := operator.Mailboxes(ctx, box)
	if err != nil {
		return exit.Outbox(err)
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
		g.JSON(map[string]any{"waiting": waiting, "finished": finished, "since": from, "mailboxes": len(mailboxes),
			"held_mailboxes": held, "paused_mailboxes": paused, "exit_code": exit.OK})
		return nil
	}
	g.Printf("waiting   %d ready, %d sending, %d held, in %d %s\n", waiting[outbox.Ready], waiting[outbox.Sending], waiting[outbox.Held],
		len(mailboxes), plural(len(mailboxes), "mailbox", "mailboxes"))
	if held+paused > 0 {
		g.Printf("          %d %s held, %d paused: smtpsend queue why\n", held, plural(held, "mailbox", "mailboxes"), paused)
	}
	g.Printf("finished  %d sent, %d dead, %d cancelled since %s\n", finished[outbox.Sent], finished[outbox.Dead], finished[outbox.Cancelled],
		from.Local().Format("2006-01-02 15:04"))
	return nil
}
