package courier_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// lab is a sandbox and an outbox.
type lab struct {
	t      *testing.T
	box    *sandbox.Sandbox
	dir    string
	out    *outbox.Outbox
	roots  *x509.CertPool
	sender *outbox.Sender
}

func newLab(t *testing.T, so sandbox.Options, oo outbox.Options) *lab {
	t.Helper()
	so.SigningKey = signingKey()
	box, err := sandbox.Start(t.Context(), so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	oo.AnyFileSystem, oo.Reserve = true, -1
	dir := t.TempDir()
	out, err := outbox.Open(t.Context(), dir, oo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	l := &lab{t: t, box: box, dir: dir, out: out, roots: x509.NewCertPool()}
	l.roots.AppendCertsFromPEM(box.CAPEM())
	if l.sender, _, err = out.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.sender.Release() })
	return l
}

func (l *lab) Token(ctx context.Context) (bearer.Token, error) {
	source := entra.New(entra.Options{
		TokenURL: strings.ReplaceAll(l.box.TokenEndpoint(), "#TenantID#", l.box.TenantID()), ClientID: l.box.ClientID(),
		Credential: entra.Secret(secret.New(l.box.ClientSecret())), Scopes: []string{"https://outlook.office365.com/.default"},
		HTTPClient: entra.NewHTTPClient(l.roots, nil),
	})
	token, err := source.Token(ctx)
	if err != nil {
		return bearer.Token{}, err
	}
	return bearer.Token{Access: secret.New(token.AccessToken)}, nil
}

func (l *lab) Invalidate(bearer.Token) {}

func (l *lab) connection(mailbox string) (session.Options, error) {
	host, port, err := net.SplitHostPort(l.box.SMTPAddr())
	if err != nil {
		return session.Options{}, err
	}
	n, err := strconv.Atoi(port)
	return session.Options{Host: host, Port: n, RootCAs: l.roots, Mailbox: mailbox, Tokens: l}, err
}

// add puts a message into the outbox.
func (l *lab) add(mailbox, to, subject string) queueid.ID {
	l.t.Helper()
	return l.addAs(mailbox, mailbox, to, subject)
}

// addAs puts a message of a mailbox into the outbox that says it is from another address.
func (l *lab) addAs(mailbox, from, to, subject string) queueid.ID {
	l.t.Helper()
	var d message.Draft
	var err error
	if d.From, err = address.Parse("From", from); err != nil {
		l.t.Fatal(err)
	}
	if d.To, err = address.ParseList("To", to); err != nil {
		l.t.Fatal(err)
	}
	if d.Mailbox, err = address.Parse("mailbox", mailbox); err != nil {
		l.t.Fatal(err)
	}
	d.Subject, d.Text = subject, "text\n"
	m, err := message.Compose(l.t.Context(), d)
	if err != nil {
		l.t.Fatal(err)
	}
	defer m.Close()
	qid, _, err := l.out.AcceptContent(l.t.Context(), spool.Message{
		Mailbox: mailbox, Envelope: m.Envelope, From: m.From, MessageID: m.MessageID, Size: m.Content.Size(),
	}, m.Content)
	if err != nil {
		l.t.Fatal(err)
	}
	return qid
}

// run submits what is due and returns what became of each attempt.
func (l *lab) run(ctx context.Context, o courier.Options) []string {
	l.t.Helper()
	var mu sync.Mutex
	var settled []string
	o.Connection = l.connection
	o.Settled = func(c *outbox.Claim, _ *submission.Receipt, s outbox.Settled) {
		mu.Lock()
		defer mu.Unlock()
		settled = append(settled, fmt.Sprintf("%s %s", c.Mailbox, s.State))
	}
	if err := courier.Run(ctx, l.out, l.sender, o); err != nil {
		l.t.Error(err)
	}
	return settled
}

func TestDueMailIsSubmittedOnce(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	for i := range 15 {
		l.add("a@contoso.example", "x@contoso.example", fmt.Sprint("a", i))
		l.add("b@contoso.example", "x@contoso.example", fmt.Sprint("b", i))
	}
	l.run(t.Context(), courier.Options{Due: true})
	var subjects []string
	for _, m := range l.box.Messages() {
		subjects = append(subjects, m.Subject)
	}
	slices.Sort(subjects)
	if len(subjects) != 30 || len(slices.Compact(subjects)) != 30 {
		t.Errorf("%d messages arrived: %v", len(subjects), subjects)
	}
	if n := l.box.Stats().Connections; n != 2 {
		t.Errorf("%d connections, want one a mailbox", n)
	}
	if again := l.run(t.Context(), courier.Options{Due: true}); len(again) != 0 {
		t.Errorf("a second run submitted %v", again)
	}
}

func TestABacklogOfOneMailboxDoesNotMakeOthersWait(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	for range 20 {
		l.add("busy@contoso.example", "x@contoso.example", "busy")
	}
	l.add("calm@contoso.example", "x@contoso.example", "calm")
	l.run(t.Context(), courier.Options{Due: true, Mailboxes: 1, Quantum: 5})
	messages := l.box.Messages()
	at := slices.IndexFunc(messages, func(m inbox.Message) bool { return m.Subject == "calm" })
	if len(messages) != 21 || at < 0 || at > 5 {
		t.Errorf("%d messages, the calm mailbox's at place %d", len(messages), at)
	}
}

func TestARefusedCredentialBurnsNoMessage(t *testing.T) {
	f, err := fault.Parse("smtp-auth-disabled-mailbox,mailbox=a@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, sandbox.Options{Faults: []fault.Fault{f}}, outbox.Options{})
	for range 3 {
		l.add("a@contoso.example", "x@contoso.example", "a")
	}
	l.add("b@contoso.example", "x@contoso.example", "b")
	settled := l.run(t.Context(), courier.Options{Drain: true})
	slices.Sort(settled)
	if got := fmt.Sprint(settled); got != "[a@contoso.example ready b@contoso.example sent]" {
		t.Errorf("settled %s", got)
	}
	box, err := operator.OneMailbox(t.Context(), l.out, "a@contoso.example")
	if err != nil || box.Pause != mailbox.PauseConfiguration || box.Counts[outbox.Ready] != 3 || box.Code != "smtp-auth-disabled-mailbox" {
		t.Errorf("mailbox %+v, %v", box, err)
	}
}

func TestAReplyThatIsLostIsInDoubtAndRecorded(t *testing.T) {
	f, err := fault.Parse("reply-lost,times=1")
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, sandbox.Options{Faults: []fault.Fault{f}}, outbox.Options{InDoubt: outbox.DoubtHold})
	qid := l.add("a@contoso.example", "x@contoso.example", "a")
	l.run(t.Context(), courier.Options{Drain: true})
	d, err := operator.Show(t.Context(), l.out, qid)
	if err != nil || d.State != outbox.Held || d.InDoubt != 1 {
		t.Errorf("message %+v, %v", d.Mail, err)
	}
	if n := len(l.box.Messages()); n != 1 {
		t.Errorf("%d messages arrived, want 1", n)
	}
}

func TestAnEndingProcessLetsTheMessageOnItsWayArrive(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l := newLab(t, sandbox.Options{SMTPHook: func(hook context.Context, stage smtp.Stage, _ string) (smtpserver.Reply, bool) {
		if stage == smtp.StageContent {
			stop()
		}
		return smtpserver.Reply{}, false
	}}, outbox.Options{})
	for range 5 {
		l.add("a@contoso.example", "x@contoso.example", "a")
	}
	settled := l.run(ctx, courier.Options{Drain: true, Grace: time.Minute})
	if got := fmt.Sprint(settled); got != "[a@contoso.example sent]" || len(l.box.Messages()) != 1 {
		t.Errorf("settled %s, %d arrived", got, len(l.box.Messages()))
	}
	list, err := operator.List(t.Context(), l.out, operator.Filter{States: []outbox.State{outbox.Ready}})
	if err != nil || len(list) != 4 {
		t.Errorf("%d messages are ready, %v; want 4", len(list), err)
	}
	for _, m := range list {
		if m.Attempts != 0 {
			t.Errorf("%s has %d attempts", m.QID, m.Attempts)
		}
	}
}

func TestLimitsAreKept(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{Limits: mailbox.Limits{PerMinute: 3}})
	for range 5 {
		l.add("a@contoso.example", "x@contoso.example", "a")
	}
	l.run(t.Context(), courier.Options{Due: true})
	if n := len(l.box.Messages()); n != 3 {
		t.Errorf("%d messages arrived, want 3", n)
	}
}

func TestTheOperatorIsToldOnce(t *testing.T) {
	f, err := fault.Parse("smtp-auth-disabled-mailbox,mailbox=a@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, sandbox.Options{Faults: []fault.Fault{f}}, outbox.Options{})
	l.add("a@contoso.example", "x@contoso.example", "a")
	l.add("a@contoso.example", "x@contoso.example", "a")
	o := courier.Options{
		Drain: true, Operator: address.MustParse("operator@contoso.example"),
		From: address.MustParse("smtpsend@contoso.example"),
	}
	l.run(t.Context(), o)
	l.run(t.Context(), o)
	messages := l.box.Messages()
	if len(messages) != 1 || messages[0].Subject != "smtpsend: mailbox a@contoso.example is held" {
		t.Fatalf("arrived: %+v", messages)
	}
	raw, _ := l.box.Raw(messages[0].ID)
	for _, want := range []string{
		"Auto-Submitted: auto-generated", "To: operator@contoso.example", "smtpsend explain smtp-auth-disabled-mailbox",
		"smtpsend queue release --mailbox a@contoso.example",
	} {
		if !strings.Contains(strings.ReplaceAll(string(raw), "=\r\n", ""), want) {
			t.Errorf("the notice lacks %q:\n%s", want, raw)
		}
	}
}

func TestWhatTheGraceCutsOffIsRecordedAsInDoubt(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l := newLab(t, sandbox.Options{SMTPHook: func(hook context.Context, stage smtp.Stage, _ string) (smtpserver.Reply, bool) {
		if stage == smtp.StageContent {
			stop()
			<-hook.Done() // no reply as long as anybody listens
		}
		return smtpserver.Reply{}, false
	}}, outbox.Options{InDoubt: outbox.DoubtHold})
	qid := l.add("a@contoso.example", "x@contoso.example", "a")
	other := l.add("a@contoso.example", "x@contoso.example", "b")
	if got := fmt.Sprint(l.run(ctx, courier.Options{Drain: true, Grace: time.Nanosecond})); got != "[a@contoso.example held]" {
		t.Errorf("settled %s", got)
	}
	d, err := operator.Show(t.Context(), l.out, qid)
	if err != nil || d.State != outbox.Held || d.InDoubt != 1 {
		t.Errorf("message %+v, %v", d.Mail, err)
	}
	if d, err := operator.Show(t.Context(), l.out, other); err != nil || d.State != outbox.Ready || d.Attempts != 0 {
		t.Errorf("the next message %+v, %v", d.Mail, err)
	}
}

func TestUntilIsAskedAsSoonAsNothingIsLeft(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	qid := l.add("a@contoso.example", "x@contoso.example", "a")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l.run(ctx, courier.Options{Poll: time.Hour, Until: func(ctx context.Context) (bool, error) {
		d, err := operator.Show(ctx, l.out, qid)
		return d.State == outbox.Sent, err
	}})
	if err := ctx.Err(); err != nil {
		t.Error("ended by the clock:", err)
	}
}

// Another program locks the outbox while the content is on its way, and lets go
// when the outcome could not be recorded.
func TestAnOutcomeIsRecordedWhenTheOutboxIsFreeAgain(t *testing.T) {
	var l *lab
	var foreign *sql.Conn
	l = newLab(t, sandbox.Options{SMTPHook: func(_ context.Context, stage smtp.Stage, _ string) (smtpserver.Reply, bool) {
		if stage == smtp.StageContent && foreign == nil {
			foreign = l.raw()
			if _, err := foreign.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
				t.Error(err)
			}
		}
		return smtpserver.Reply{}, false
	}}, outbox.Options{LockWait: time.Second})
	qid := l.add("a@contoso.example", "x@contoso.example", "a")
	told := func(err error) {
		if _, e := foreign.ExecContext(t.Context(), "ROLLBACK"); e != nil || !errors.Is(err, store.ErrBusy) {
			t.Error(err, e)
		}
	}
	if got := fmt.Sprint(l.run(t.Context(), courier.Options{Drain: true, Trouble: told})); got != "[a@contoso.example sent]" {
		t.Errorf("settled %s", got)
	}
	if d, err := operator.Show(t.Context(), l.out, qid); err != nil || d.State != outbox.Sent || d.InDoubt != 0 {
		t.Errorf("message %+v, %v", d.Mail, err)
	}
}

// A large message has more time than a small one.
func TestALargeMessageHasTheTimeItNeeds(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	from := "a@contoso.example"
	content := "From: " + from + "\r\nSubject: large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 30<<10)
	_, _, err := l.out.Accept(t.Context(), spool.Message{
		Mailbox: from, MessageID: "<1@contoso.example>",
		Envelope: mailobject.Envelope{ReversePath: from, ForwardPaths: []string{"x@contoso.example"}},
	}, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(l.run(t.Context(), courier.Options{Due: true, Timeout: time.Nanosecond})); got != "[a@contoso.example sent]" {
		t.Errorf("settled %s", got)
	}
}

// A content that is not what was taken does not go out, now or later.
func TestADamagedContentIsGivenUp(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	qid := l.add("a@contoso.example", "x@contoso.example", "a")
	if _, err := l.raw().ExecContext(t.Context(), "UPDATE body SET data = CAST(replace(CAST(data AS TEXT), 'text', 'test') AS BLOB)"); err != nil {
		t.Fatal(err)
	}
	l.add("a@contoso.example", "x@contoso.example", "b")
	if got := fmt.Sprint(l.run(t.Context(), courier.Options{Drain: true})); got != "[a@contoso.example dead a@contoso.example sent]" {
		t.Errorf("settled %s", got)
	}
	if d, err := operator.Show(t.Context(), l.out, qid); err != nil || !strings.Contains(d.Text, "the content in the outbox is damaged") {
		t.Errorf("message %+v, %v", d.Mail, err)
	}
	if n, err := l.out.Notices().List(t.Context(), notice.RoadMail, 9); err != nil || len(n) != 1 || n[0].QID != qid {
		t.Errorf("notices %+v, %v", n, err)
	}
	if m := l.box.Messages(); len(m) != 1 || m[0].Subject != "b" {
		t.Errorf("arrived: %+v", m)
	}
}

// raw is another program's connection to the outbox.
func (l *lab) raw() *sql.Conn {
	db, err := sql.Open("sqlite", filepath.Join(l.dir, "queue.db"))
	if err != nil {
		l.t.Error(err)
		return nil
	}
	l.t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(context.WithoutCancel(l.t.Context()))
	if err != nil {
		l.t.Error(err)
	}
	return conn
}
