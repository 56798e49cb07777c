//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// queued is a message of the outbox as `queue ls` and `queue show` have it.
type queued struct {
	QID             string `json:"queue_id"`
	State           string
	InDoubt         int `json:"in_doubt"`
	Kind            string
	Reason          string
	RecipientStates []struct {
		ForwardPath string `json:"forward_path"`
		State       string
	} `json:"recipient_states"`
}

// list is every message of the outbox, without its recipients.
func (p *program) list() (list []queued, err error) {
	answer := struct{ Messages *[]queued }{&list}
	return list, p.ask(&answer, "queue", "ls", "--all", "--limit", "0")
}

// show is every message, and who has it.
func (p *program) show() (list []queued, err error) {
	if list, err = p.list(); err != nil {
		return nil, err
	}
	args := []string{"queue", "show"}
	for _, q := range list {
		args = append(args, q.QID)
	}
	var answer struct{ Messages []queued }
	err = p.ask(&answer, args...)
	return answer.Messages, err
}

// waits is why the first message waits that is not finished, nor held because
// somebody has to decide about a doubt; "" when there is none.
func waits(list []queued) string {
	for _, q := range list {
		held := q.State == "held" && q.InDoubt == 0
		if q.State == "ready" || q.State == "sending" || held {
			return q.State + ": " + q.Reason
		}
	}
	return ""
}

// toldBy is what the outbox says of each recipient.
func toldBy(list []queued) (all []told) {
	for _, q := range list {
		for _, r := range q.RecipientStates {
			t := told{to: r.ForwardPath, doubts: q.InDoubt, held: q.State == "held"}
			switch {
			case r.State == "accepted" || r.State == "refused":
				t.outcome = r.State
			case q.State == "dead": // for a reason that is not a recipient's
				t.outcome = "refused"
			case q.InDoubt > 0:
				t.outcome = "doubt"
			default:
				t.outcome = "open"
			}
			all = append(all, t)
		}
	}
	return all
}

// kindOf is the failure that the outbox names: of a message, else of its mailbox.
func (p *program) kindOf(list []queued) (string, error) {
	for _, q := range list {
		if q.Kind != "" {
			return q.Kind, nil
		}
	}
	var answer struct{ Mailboxes []struct{ Kind string } }
	if err := p.ask(&answer, "queue", "why"); err != nil || len(answer.Mailboxes) == 0 {
		return "", err
	}
	return answer.Mailboxes[0].Kind, nil
}

// queue puts a message into the outbox, has it tried, and heals the server.
func (p *program) queue(m met) met {
	added, err := p.do("", "send", "--queue", "--subject", "matrix", "--text", matrixText, "--to", strings.Join(m.recipientsOf(), ","))
	if err != nil || added.code != 0 {
		return m.fail("adding: %v\n%v", err, added)
	}
	if m.ended, err = p.do("", "queue", "run"); err != nil {
		return m.fail("%v", err)
	}
	if m, err = p.look(m); err != nil {
		return m.fail("%v", err)
	}
	return p.goOn(m)
}

// look reads what the outbox says of the first command, and what the server has.
func (p *program) look(m met) (met, error) {
	list, err := p.show()
	if err != nil {
		return m, err
	}
	m.told, m.waits = toldBy(list), waits(list)
	if m.finding, err = p.kindOf(list); err != nil {
		return m, err
	}
	m.looked = true
	m.before, err = storedBy(p.server)
	return m, err
}

// goOn heals the server and runs the queue, nothing else, until nothing waits
// but for somebody who decides about a doubt. Messages that are held for
// themselves are released before, as the operator does who got the notice.
func (p *program) goOn(m met) met {
	m.final = m.told
	if m.waits == "" {
		return m
	}
	if err := p.server.heal(); err != nil {
		return m.fail("healing: %v", err)
	}
	if err := p.release(); err != nil {
		return m.fail("releasing: %v", err)
	}
	end := time.Now().Add(patience)
	for runs := 0; m.waits != "" && (runs < patienceRuns || time.Now().Before(end)); runs++ {
		if r, err := p.do("", "queue", "run", "--drain"); err != nil {
			return m.fail("%v\n%v", err, r)
		}
		list, err := p.list()
		if err != nil {
			return m.fail("%v", err)
		}
		m.waits = waits(list)
	}
	list, err := p.show()
	if err != nil {
		return m.fail("%v", err)
	}
	if m.final = toldBy(list); m.waits != "" {
		m = m.fail("the server has been well for %v, and a message is %q", patience*faultScale, m.waits)
	}
	return m
}

// release ends the hold of the messages that a refusal holds alone. What holds a
// mailbox ends by itself.
func (p *program) release() error {
	list, err := p.list()
	if err != nil {
		return err
	}
	args := []string{"queue", "release"}
	for _, q := range list {
		if entry, _ := diagnosis.Lookup(q.Kind); q.State == "held" && entry.Holds == diagnosis.ScopeMessage {
			args = append(args, q.QID)
		}
	}
	if len(args) == 2 {
		return nil
	}
	r, err := p.do("", args...)
	if err == nil && r.code != 0 {
		err = fmt.Errorf("%v", r)
	}
	return err
}

// batch sends four messages, of which the second meets the fault.
func (p *program) batch(m met) met {
	rows, text := filepath.Join(p.dir, "rows.csv"), filepath.Join(p.dir, "text")
	var b strings.Builder
	b.WriteString("email\n")
	for _, name := range []string{"a", "b", "c", "d"} {
		to := name + "@fabrikam.example"
		if m.two {
			to = fmt.Sprintf("\"%s@fabrikam.example, two-%[1]s@fabrikam.example\"", name)
		}
		b.WriteString(to + "\n")
	}
	for name, content := range map[string]string{rows: b.String(), text: matrixText} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return m.fail("%v", err)
		}
	}
	var err error
	if m.ended, err = p.do("", "batch", "--subject", "matrix", "--text-file", text, "--name", "matrix", rows); err != nil {
		return m.fail("%v", err)
	}
	if m, err = p.look(m); err != nil {
		return m.fail("%v", err)
	}
	if want := 4 * len(m.recipientsOf()); len(m.told) != want {
		m = m.fail("%d recipients are in the outbox, want %d\n%v", len(m.told), want, m.ended)
	}
	return p.goOn(m)
}
