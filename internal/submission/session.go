package submission

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Step is one stage of a session or transaction and how long it took.
type Step struct {
	Stage smtp.Stage
	Took  time.Duration
}

// Session is an authenticated connection to a server, for one mailbox. It is
// not safe for concurrent use. After an error it is broken: Close it and open
// another.
type Session struct {
	opts     Options
	raw      net.Conn // under TLS
	wire     *wire
	tls      bool
	exchange bool // the server says that it is Exchange
	ext      map[string]string
	token    Token
	steps    []Step
	ahead    *transaction // whose MAIL group is written already
	reset    bool         // a transaction was left open: RSET is due
	broken   bool
	// beforeContent, when set, is asked once a server waits for content.
	beforeContent func(context.Context) error

	release func() // gives the connection slot back; nil when there is none
}

// Open makes a session: connection, greeting, EHLO, STARTTLS, EHLO, AUTH. It
// ends at deadline (zero: none) or with ctx. The error is an *Error; one whose
// stage is token was not the server's doing.
func Open(ctx context.Context, o Options, deadline time.Time) (*Session, error) {
	o.Timeouts = o.Timeouts.withDefaults()
	early, cancel := withDeadline(ctx, deadline)
	defer cancel()
	setup, failed := context.WithCancelCause(early)
	token := startPrefetch(setup, o.Tokens, failed)
	defer func() {
		failed(nil)
		<-token.done // no goroutine outlives the call
	}()

	s := &Session{opts: o}
	if err := s.takeSlot(setup); err != nil {
		var token *TokenError // whose cause may be a deadline too
		if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &token) {
			return s, &Error{Stage: smtp.StageDial, Server: o.address(), Fault: smtp.FaultSlotsBusy, Err: err}
		}
		return s, s.blame(setup, s.fail(smtp.StageDial, err))
	}
	err := s.step(smtp.StageDial, func() (err error) {
		s.raw, err = dial(setup, o)
		return err
	})
	if err != nil {
		s.Close()
		return s, s.blame(setup, err)
	}
	stop := context.AfterFunc(setup, s.cut)
	err = s.setUp(setup, token)
	if !stop() && err == nil {
		err = s.fail(smtp.StageAuth, net.ErrClosed)
	}
	if err != nil {
		err = s.blame(setup, err)
		s.Close()
		return s, err
	}
	return s, nil
}

// takeSlot waits for a connection slot. Slots that cannot be used are no reason
// not to submit.
func (s *Session) takeSlot(ctx context.Context) (err error) {
	if s.opts.Slots == nil {
		return nil
	}
	s.release, err = s.opts.Slots.Acquire(ctx, s.opts.Mailbox)
	if errors.Is(err, ErrNoSlots) {
		s.opts.trace("*: " + err.Error())
		return nil
	}
	return err
}

// withDeadline bounds ctx by deadline, zero meaning none.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline, errTooLate)
}

// setUp goes from the greeting to an accepted AUTH.
func (s *Session) setUp(ctx context.Context, token *prefetch) error {
	s.wire = newWire(s.raw, s.opts.trace)
	if s.opts.Security == ImplicitTLS {
		if err := s.step(smtp.StageStartTLS, func() error { return s.handshake(ctx) }); err != nil {
			return err
		}
	}
	if err := s.step(smtp.StageGreeting, s.greeting); err != nil {
		return err
	}
	if err := s.step(smtp.StageEHLO, s.ehlo); err != nil {
		return err
	}
	if s.opts.Security == StartTLS {
		if err := s.step(smtp.StageStartTLS, func() error { return s.startTLS(ctx) }); err != nil {
			return err
		}
		if err := s.step(smtp.StageEHLO, s.ehlo); err != nil {
			return err
		}
	}
	return s.step(smtp.StageAuth, func() error { return s.authenticate(ctx, token) })
}

// step times f and gives its error the stage.
func (s *Session) step(stage smtp.Stage, f func() error) error {
	start := time.Now()
	err := f()
	s.steps = append(s.steps, Step{stage, time.Since(start)})
	if err == nil {
		return nil
	}
	return s.fail(stage, err)
}

// fail makes err an *Error of stage, unless it is one already.
func (s *Session) fail(stage smtp.Stage, err error) *Error {
	s.broken = true
	var done *Error
	if errors.As(err, &done) {
		if done.Stage == "" {
			done.Stage = stage
		}
		done.Server = s.opts.address()
		return done
	}
	return &Error{Stage: stage, Server: s.opts.address(), Fault: faultOf(err), Err: err}
}

// blame puts the reason for which we cut the connection in the place of the
// error that the cut caused.
func (s *Session) blame(ctx context.Context, err error) error {
	var e *Error
	errors.As(err, &e)
	var token *TokenError
	if errors.As(err, &token) || errors.As(context.Cause(ctx), &token) {
		return &Error{Stage: smtp.StageToken, Server: s.opts.address(), Fault: faultOf(token.Err), Err: token.Err}
	}
	if ctx.Err() != nil && e.Reply.IsZero() {
		cause := context.Cause(ctx)
		return &Error{Stage: e.Stage, Server: e.Server, Fault: faultOf(cause), Err: cause}
	}
	return e
}

// cut closes the connection under everything, without a word to the server.
func (s *Session) cut() {
	if s.raw != nil {
		s.raw.Close()
	}
}

// Steps returns the stages gone through so far, in order.
func (s *Session) Steps() []Step { return s.steps }

// Token returns the token that the session authenticated with.
func (s *Session) Token() Token { return s.token }

// quitTime is what the goodbye may take. It is written to a socket buffer that
// is empty by then, so more would never help.
const quitTime = time.Second

// Close ends the session with QUIT, whose reply is not waited for, closes the
// connection and gives its slot back. A session that is within a transaction is
// cut. Close may be called again.
func (s *Session) Close() {
	if s.release != nil {
		defer s.release()
		s.release = nil
	}
	if s.raw == nil {
		return
	}
	if s.ahead == nil && s.wire != nil && s.wire.limit(quitTime) == nil {
		if s.wire.put("QUIT") == nil {
			_ = s.wire.bw.Flush()
		}
		_ = s.wire.conn.Close()
	}
	s.cut()
}

// unexpected is a reply other than the one that the stage needs.
func unexpected(r smtp.Reply) *Error { return &Error{Reply: r} }

// offers reports whether the server's EHLO reply has the extension, and its
// parameters.
func (s *Session) offers(extension string) (parameters string, ok bool) {
	parameters, ok = s.ext[extension]
	return parameters, ok
}

// extensions reads the lines of an EHLO reply after the first (RFC 5321
// 4.1.1.1). Keywords are not case-sensitive; the first line of a kind counts.
// Mechanisms are gathered from all lines with AUTH, of which old servers have
// one with "AUTH=" for older clients.
func extensions(r smtp.Reply) map[string]string {
	ext := make(map[string]string)
	for _, line := range r.Lines[1:] {
		keyword, parameters, _ := strings.Cut(strings.TrimSpace(line), " ")
		keyword = strings.ToUpper(keyword)
		if first, ok := strings.CutPrefix(keyword, "AUTH="); ok {
			keyword, parameters = "AUTH", first+" "+parameters
		}
		if before, ok := ext[keyword]; !ok || keyword == "AUTH" {
			ext[keyword] = strings.TrimSpace(before + " " + parameters)
		}
	}
	return ext
}
