package courier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// quick is an outbox whose half hour takes 60 ms.
var quick = outbox.Options{Minute: 2 * time.Millisecond, Day: 24 * 120 * time.Millisecond}

func faulty(t *testing.T, faults ...string) (o sandbox.Options) {
	t.Helper()
	for _, text := range faults {
		f, err := fault.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Faults = append(o.Faults, f)
	}
	return o
}

// until runs, as a long-running process does, until the message is over or held.
func (l *lab) until(q queueid.ID, o courier.Options) operator.Detail {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	var d operator.Detail
	o.Poll = 5 * time.Millisecond
	o.Until = func(ctx context.Context) (over bool, err error) {
		d, err = operator.Show(ctx, l.out, q)
		return d.State != outbox.Ready && d.State != outbox.Sending, err
	}
	l.run(ctx, o)
	if ctx.Err() != nil {
		l.t.Errorf("%s did not come back: %s, %s", q, d.State, d.Why)
	}
	return d
}

func (l *lab) mailbox(name string) operator.Mailbox {
	l.t.Helper()
	m, err := operator.OneMailbox(l.t.Context(), l.out, name)
	if err != nil {
		l.t.Fatal(err)
	}
	return m
}

// Whatever goes wrong twice and then no more, the message goes out, or is refused
// for itself, without anybody's doing.
func TestAMailboxComesBackFromEveryFault(t *testing.T) {
	refused := 0
	for _, name := range fault.Names() {
		f, err := fault.Parse(name + ",times=2")
		if err != nil || name == "slow" || strings.Contains(name, "timeout") { // what a tenant is set up like does not pass
			continue
		}
		t.Run(name, func(t *testing.T) {
			l := newLab(t, sandbox.Options{Faults: []fault.Fault{f}, RetryAfter: time.Nanosecond}, quick)
			d := l.until(l.add("a@contoso.example", "x@contoso.example", name), courier.Options{})
			entry, _ := diagnosis.Lookup(name)
			switch {
			case d.State == outbox.Sent:
				if m := l.mailbox("a@contoso.example"); m.Pause != "" || !m.Since.IsZero() {
					t.Errorf("after it was sent the mailbox is %+v", m)
				}
			case d.State == outbox.Held && d.InDoubt > 1:
			case d.State == outbox.Held && entry.Holds == diagnosis.ScopeMessage: // until an operator releases it
			case d.State == outbox.Dead && entry.Class == diagnosis.ClassPermanent:
				refused++
			default:
				t.Errorf("%s: %s", d.State, d.Text)
			}
			if n := len(l.box.Messages()); n > 1+d.InDoubt {
				t.Errorf("%d messages arrived, %d in doubt", n, d.InDoubt)
			}
		})
	}
	if refused > 30 {
		t.Errorf("%d messages were refused", refused)
	}
}

// A probe is one sign-in without a message; after it one message is tried alone.
func TestAProbeIsASignInWithoutAMessage(t *testing.T) {
	o := faulty(t, "sendas-denied,times=3")
	var mu sync.Mutex
	var stages []string
	o.SMTPHook = func(_ context.Context, stage smtp.Stage, _ string) (smtpserver.Reply, bool) {
		mu.Lock()
		defer mu.Unlock()
		stages = append(stages, string(stage))
		return smtpserver.Reply{}, false
	}
	l := newLab(t, o, quick)
	q := l.add("a@contoso.example", "x@contoso.example", "first")
	for range 4 {
		l.add("a@contoso.example", "x@contoso.example", "other")
	}
	var probes atomic.Int64
	d := l.until(q, courier.Options{Probed: func(p courier.Probed) {
		if probes.Add(1); p.Err != nil || p.Settled.Pause != "" {
			t.Errorf("probed: %+v", p)
		}
	}})
	if d.State != outbox.Sent || d.Attempts != 1 || probes.Load() != 3 {
		t.Errorf("%s after %d attempts and %d probes", d.State, d.Attempts, probes.Load())
	}
	l.run(t.Context(), courier.Options{Drain: true})
	if n := len(l.box.Messages()); n != 5 {
		t.Errorf("%d messages arrived", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(strings.Join(stages, " "), "content"); n != 8 { // 3 of which were refused
		t.Errorf("%d contents went out: %v", n, stages)
	}
}

// A refused probe says the new reason, and sends nothing.
func TestARefusedProbeLeavesTheMailboxHeld(t *testing.T) {
	l := newLab(t, faulty(t, "auth-unsuccessful,times=1", "smtp-auth-disabled-mailbox,after=1,times=1"), quick)
	q := l.add("a@contoso.example", "x@contoso.example", "x")
	var refused []string
	d := l.until(q, courier.Options{Probed: func(p courier.Probed) {
		if p.Err != nil {
			refused = append(refused, fmt.Sprint(p.Err.Reply.Enhanced, " ", p.Settled.Held()))
		}
	}})
	if d.State != outbox.Sent || fmt.Sprint(refused) != "[5.7.139 true]" {
		t.Errorf("%s, probes refused: %v", d.State, refused)
	}
}

// --drain and a timer end while a mailbox is held, and do the probe that is due.
func TestWhatIsHeldIsNotWaitedFor(t *testing.T) {
	l := newLab(t, faulty(t, "smtp-auth-disabled-mailbox,times=2"), outbox.Options{})
	q := l.add("a@contoso.example", "x@contoso.example", "x")
	for _, o := range []courier.Options{{Drain: true}, {Due: true}} {
		l.run(t.Context(), o) // held: nothing is tried before its time
		l.pass()
		l.run(t.Context(), o) // refused, then accepted
		l.pass()
	}
	if d, err := operator.Show(t.Context(), l.out, q); err != nil || d.State != outbox.Sent || l.box.Stats().Auths != 3 {
		t.Errorf("%s after %d sign-ins, %v", d.State, l.box.Stats().Auths, err)
	}
}

// pass makes the time of the next probes come.
func (l *lab) pass() {
	l.t.Helper()
	if _, err := l.raw().ExecContext(l.t.Context(), "UPDATE mailbox SET probe_at = 1 WHERE probe_at > 0"); err != nil {
		l.t.Fatal(err)
	}
}

func contoso(local string) address.Address {
	return address.MustParse(local + "@contoso.example")
}

// arrived are the senders and subjects of what the operator got.
func (l *lab) arrived() (list []string) {
	for _, m := range l.box.Messages() {
		if slices.Contains(m.To, "operator@contoso.example") {
			list = append(list, m.From+": "+m.Subject)
		}
	}
	return list
}

// A notice does not travel on what it tells of, nor where it is refused itself.
func TestANoticeGoesByAMailboxThatWorks(t *testing.T) {
	o := courier.Options{Due: true, Operator: contoso("operator"), From: contoso("a")}
	l := newLab(t, faulty(t, "smtp-auth-disabled-mailbox,mailbox=a@contoso.example,times=1"), outbox.Options{})
	l.add("b@contoso.example", "x@contoso.example", "b")
	l.run(t.Context(), o)
	l.add("a@contoso.example", "x@contoso.example", "a")
	l.run(t.Context(), o)
	if got := fmt.Sprint(l.arrived()); got != "[b@contoso.example: smtpsend: mailbox a@contoso.example is held]" {
		t.Errorf("the operator got %s", got)
	}
	if m := l.mailbox("a@contoso.example"); m.Counts[outbox.Ready] != 1 {
		t.Errorf("in the mailbox that is held wait %d messages", m.Counts[outbox.Ready])
	}

	l = newLab(t, faulty(t, "smtp-auth-disabled-mailbox,mailbox=a@contoso.example", "smtp-auth-disabled-mailbox,mailbox=from@contoso.example"), outbox.Options{})
	o.From = contoso("from")
	l.add("b@contoso.example", "x@contoso.example", "b")
	l.run(t.Context(), o)
	l.add("a@contoso.example", "x@contoso.example", "a")
	l.run(t.Context(), o)
	if got := fmt.Sprint(l.arrived()); got != "[b@contoso.example: smtpsend: mailbox a@contoso.example is held]" {
		t.Errorf("the operator got %s", got)
	}
	if m := l.mailbox("from@contoso.example"); m.Pause != "" {
		t.Errorf("a notice stopped its mailbox: %+v", m)
	}
}

// Where no mailbox works the notice waits, outside of the queue, and goes out with
// that of the end.
func TestANoticeWaitsUntilAMailboxWorks(t *testing.T) {
	for name, faults := range map[string][]string{
		"the one mailbox is held":               {"smtp-auth-disabled-mailbox,times=1"},
		"the token endpoint refuses everything": {"secret-expired,times=1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, faulty(t, faults...), outbox.Options{})
			o := courier.Options{Due: true, Operator: contoso("operator"), From: contoso("from")}
			if name == "the one mailbox is held" {
				o.From = contoso("a")
			}
			l.add("a@contoso.example", "x@contoso.example", "a")
			l.run(t.Context(), o)
			list, err := operator.List(t.Context(), l.out, operator.Filter{})
			if err != nil || len(list) != 1 {
				t.Errorf("%d messages are queued, %v", len(list), err)
			}
			l.pass()
			l.run(t.Context(), o)
			l.run(t.Context(), o)
			if got := l.arrived(); len(got) != 1 || !strings.HasSuffix(got[0], ": smtpsend: mailbox a@contoso.example is held, and 1 more") {
				t.Errorf("the operator got %q", got)
			}
		})
	}
}

// heard gathers what Notify was told.
type heard struct {
	mu   sync.Mutex
	list []courier.Incident
}

func (h *heard) hear(_ context.Context, i courier.Incident) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, i)
	return nil
}

func TestIncidentsAreToldInOrder(t *testing.T) {
	l := newLab(t, faulty(t, "smtp-auth-disabled-mailbox,times=1"), outbox.Options{})
	var h heard
	o := courier.Options{Due: true, Notify: h.hear, Facts: func(mailbox string) diagnosis.Facts {
		return diagnosis.Facts{Mailbox: mailbox, TenantID: "the-tenant"}
	}}
	l.add("a@contoso.example", "x@contoso.example", "a")
	l.add("a@contoso.example", "x@contoso.example", "b")
	before := time.Now()
	l.run(t.Context(), o)
	l.pass()
	l.run(t.Context(), o)
	if len(h.list) != 2 {
		t.Fatalf("told: %+v", h.list)
	}
	i := h.list[0]
	if i.SchemaVersion != 1 || i.Kind != "held" || i.Mailbox != "a@contoso.example" || i.Code != "smtp-auth-disabled-mailbox" || i.Waiting != 2 ||
		i.Since == nil || i.Since.Before(before.Add(-time.Second)) || i.NextTry == nil || i.NextTry.Sub(*i.Since) < 30*time.Minute ||
		!strings.HasPrefix(i.Said, "535 5.7.139") || i.Summary != "mailbox a@contoso.example is held" || i.Title == "" ||
		i.Release != "smtpsend queue release --mailbox a@contoso.example" || !strings.Contains(fmt.Sprint(i.Fixes), "the-tenant") {
		t.Errorf("held: %+v", i)
	}
	if i := h.list[1]; i.Kind != "resumed" || i.Mailbox != "a@contoso.example" || i.Since == nil || i.NextTry != nil || i.Release != "" {
		t.Errorf("resumed: %+v", i)
	}
}

// A mailbox is what somebody wrote into From; the command with it is pasted into a
// shell.
func TestTheCommandThatReleasesCanBePasted(t *testing.T) {
	l := newLab(t, faulty(t, "smtp-auth-disabled-mailbox,times=1"), outbox.Options{})
	var h heard
	l.add("a|id&x@contoso.example", "x@contoso.example", "a")
	l.run(t.Context(), courier.Options{Due: true, Notify: h.hear})
	if len(h.list) != 1 || h.list[0].Release != "smtpsend queue release --mailbox 'a|id&x@contoso.example'" {
		t.Errorf("told: %+v", h.list)
	}
	if got := courier.ReleaseCommand("`id`@contoso.example"); got != "smtpsend queue release --mailbox <mailbox>" {
		t.Errorf("the command is %q", got)
	}
}

// A program that hangs keeps nothing from being submitted, and one that fails is
// tried again by a later run.
func TestTheProgramThatIsToldDisturbsNothing(t *testing.T) {
	l := newLab(t, faulty(t, "smtp-auth-disabled-mailbox,mailbox=a@contoso.example"), outbox.Options{})
	told := make(chan struct{}) // closed when other mail went out
	var once sync.Once
	var tries atomic.Int64
	failing := errors.New("no route")
	var said []error
	o := courier.Options{Due: true, Notify: func(ctx context.Context, i courier.Incident) error {
		if tries.Add(1) == 1 {
			l.add("b@contoso.example", "x@contoso.example", "b")
			select {
			case <-told:
			case <-time.After(time.Minute):
				t.Error("submitting waited for it")
			}
		}
		return failing
	}, Unnotified: func(err error) { said = append(said, err) }}
	l.add("a@contoso.example", "x@contoso.example", "a")
	o.Connection = l.connection
	o.Settled = func(_ *outbox.Claim, _ *submission.Receipt, s outbox.Settled) {
		if s.State == outbox.Sent {
			once.Do(func() { close(told) })
		}
	}
	if err := courier.Run(t.Context(), l.out, l.sender, o); err != nil {
		t.Error(err)
	}
	if tries.Load() != 1 || len(said) != 1 || !errors.Is(said[0], failing) {
		t.Errorf("told %d times, said %v", tries.Load(), said)
	}
	if n, err := l.out.Notices().List(t.Context(), notice.RoadCommand, 9); err != nil || len(n) != 0 {
		t.Errorf("it is tried again at once: %+v, %v", n, err)
	}
}

// What the end of the process cuts off is told by the next.
func TestTheEndOfTheProcessLosesNoNotice(t *testing.T) {
	l := newLab(t, faulty(t, "smtp-auth-disabled-mailbox"), outbox.Options{})
	ctx, stop := context.WithCancel(t.Context())
	l.add("a@contoso.example", "x@contoso.example", "a")
	l.run(ctx, courier.Options{Drain: true, Notify: func(ctx context.Context, _ courier.Incident) error {
		stop()
		<-ctx.Done()
		return ctx.Err()
	}})
	var h heard
	l.run(t.Context(), courier.Options{Drain: true, Notify: h.hear})
	if len(h.list) != 1 || h.list[0].Kind != "held" {
		t.Errorf("told: %+v", h.list)
	}
}

// Thousands of refused rows do not keep a timer's run from its end.
func TestARunTellsSoManyNoticesAndTheNextTheRest(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	_, err := l.raw().ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
		INSERT INTO notice (at, kind, mailbox) SELECT i, 'dead', 'a@contoso.example' FROM n`)
	if err != nil {
		t.Fatal(err)
	}
	var h heard
	for _, want := range []int{100, 120, 120} {
		l.run(t.Context(), courier.Options{Due: true, Notify: h.hear})
		if len(h.list) != want {
			t.Errorf("told %d, want %d", len(h.list), want)
		}
	}
}

// Where there is no room for a notice, what waits is submitted all the same.
func TestADiskWithoutRoomForANoticeStopsNothing(t *testing.T) {
	l := newLab(t, faulty(t, "smtp-auth-disabled-mailbox,mailbox=a@contoso.example"), outbox.Options{})
	l.add("a@contoso.example", "x@contoso.example", "a")
	l.run(t.Context(), courier.Options{Due: true})
	for range 3 {
		l.add("b@contoso.example", "x@contoso.example", "b")
	}
	if err := l.sender.Release(); err != nil {
		t.Fatal(err)
	}
	full, err := outbox.Open(t.Context(), l.dir, outbox.Options{AnyFileSystem: true, Reserve: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { full.Close() })
	l.out = full
	if l.sender, _, err = full.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	troubles := 0
	l.run(t.Context(), courier.Options{Due: true, Quantum: 1, Operator: contoso("operator"), From: contoso("b"), Trouble: func(error) { troubles++ }})
	if n := len(l.box.Messages()); n != 3 || troubles != 1 {
		t.Errorf("%d messages arrived, %d warnings", n, troubles)
	}
	if list, err := full.Notices().List(t.Context(), notice.RoadMail, 9); err != nil || len(list) != 1 {
		t.Errorf("the notice is lost: %+v, %v", list, err)
	}
}
