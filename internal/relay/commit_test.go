package relay_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
)

// raw is another program's connection to the outbox.
func (l *lab) raw() *sql.Conn {
	l.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(l.dir, "state", "queue.db"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return conn
}

// do runs statements on another program's connection.
func (l *lab) do(conn *sql.Conn, statements ...string) {
	l.t.Helper()
	for _, text := range statements {
		if _, err := conn.ExecContext(l.t.Context(), text); err != nil {
			l.t.Fatalf("%s: %v", text, err)
		}
	}
}

// to is a message to a recipient, and the reply to its content.
func to(recipient, reply string) string {
	return hello + mailFrom + "S: 250\nC: RCPT TO:<" + recipient + ">\nS: 250\nC: DATA\nS: 354\nC: Subject: x\nC:\nC: x\nC: .\nS: " + reply + "\n"
}

// recipients counts what is in the outbox, by recipient.
func (l *lab) recipients() map[string]int {
	counts := map[string]int{}
	for _, m := range l.queued() {
		for _, r := range m.RecipientStates {
			counts[r.ForwardPath]++
		}
	}
	return counts
}

// One message whose commit fails when all of it is written is answered with 451, and
// nothing of it is taken. Those that shared the commit are taken once, and so is it when
// its client tries again.
func TestAMessageWhoseCommitFailsIsNotTaken(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	other := l.raw()
	l.do(other, "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
		"CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)", // which COMMIT checks
		"CREATE TRIGGER fails AFTER INSERT ON rcpt WHEN NEW.addr = 'bad@fabrikam.example' BEGIN INSERT INTO child VALUES (1); END")
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() { l.dial(localhost).dialogue(to(fmt.Sprintf("a%d@fabrikam.example", i), "250 2.0.0 queued as")) })
		if i%5 == 0 {
			clients.Go(func() {
				l.dial(localhost).dialogue(to("bad@fabrikam.example", "451 4.3.0 the relay cannot keep the message now"))
			})
		}
	}
	clients.Wait()
	if got := l.recipients(); len(got) != 20 || got["bad@fabrikam.example"] != 0 || len(l.queued()) != 20 {
		t.Errorf("the outbox has %v", got)
	}
	l.do(other, "DROP TRIGGER fails")
	l.dial(localhost).dialogue(to("bad@fabrikam.example", "250 2.0.0 queued as"))
	if got := l.recipients(); len(l.queued()) != 21 || got["bad@fabrikam.example"] != 1 {
		t.Errorf("after another attempt the outbox has %v", got)
	}
}

// While another program keeps the database locked, clients wait for a time and hear 451:
// small messages, which share commits, and large ones. Nothing is taken twice.
func TestAnOutboxThatAnotherProgramLocks(t *testing.T) {
	l := newLab(t, local(anyone), with{outbox: outbox.Options{LockWait: time.Second}})
	large := strings.Replace(to("large@fabrikam.example", "%s"), "C: x\nC: .", strings.Repeat("C: "+strings.Repeat("x", 900)+"\n", 2500)+"C: .", 1)
	other := l.raw()
	l.do(other, "BEGIN IMMEDIATE")
	round := func(reply string) {
		var clients sync.WaitGroup
		for i := range 5 {
			clients.Go(func() { l.dial(localhost).dialogue(to(fmt.Sprintf("a%d@fabrikam.example", i), reply)) })
		}
		clients.Go(func() { l.dial(localhost).dialogue(fmt.Sprintf(large, reply)) })
		clients.Wait()
	}
	round("451 4.3.0 the relay cannot keep the message now: try again later")
	if n := len(l.queued()); n != 0 {
		t.Errorf("%d messages are in the outbox", n)
	}
	l.do(other, "ROLLBACK")
	round("250 2.0.0 queued as")
	if got := l.recipients(); len(got) != 6 || len(l.queued()) != 6 {
		t.Errorf("the outbox has %v", got)
	}
}
