//go:build linux

package interop_test

import (
	"fmt"
	"slices"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// judge holds what was told against what the server keeps.
func (m *met) judge() {
	m.wrong = append(m.wrong, untrue("", m.told, m.before)...)
	if m.final != nil {
		m.wrong = append(m.wrong, untrue("at the end: ", m.final, m.stored)...)
		m.wrong = append(m.wrong, lost(m.final)...)
	}
	if m.harmless {
		for _, t := range append(m.told, m.final...) {
			if t.outcome != "accepted" && (m.final == nil || t.outcome != "open") {
				m.wrong = append(m.wrong, fmt.Sprintf("%s is %s though the server takes all", t.to, t.outcome))
			}
		}
	}
	if want := m.codesFor(); len(m.told) > 0 && !slices.Contains(want, m.ended.code) {
		m.wrong = append(m.wrong, fmt.Sprintf("exit code %d, want one of %v for %+v", m.ended.code, want, m.told))
	}
}

// untrue are receipts that are wrong: what is accepted the server keeps, as
// often as it is accepted or in doubt; what is not it does not.
func untrue(when string, list []told, stored []string) (wrong []string) {
	copies := map[string]int{}
	for _, to := range stored {
		copies[to]++
	}
	for _, t := range list {
		n := copies[t.to]
		switch t.outcome {
		case "accepted":
			if n < 1 || n > 1+t.doubts {
				wrong = append(wrong, fmt.Sprintf("%s%s is accepted, in doubt %d times, and the server keeps %d copies", when, t.to, t.doubts, n))
			}
		case "doubt":
		default:
			if n > t.doubts {
				wrong = append(wrong, fmt.Sprintf("%s%s is %s, in doubt %d times, and the server keeps %d copies", when, t.to, t.outcome, t.doubts, n))
			}
		}
	}
	return wrong
}

// lost are recipients that were neither accepted nor refused in the end, nor are
// held because nobody knows.
func lost(final []told) (wrong []string) {
	for _, t := range final {
		if t.outcome == "open" || t.outcome == "doubt" && !t.held {
			wrong = append(wrong, fmt.Sprintf("at the end %s is %s", t.to, t.outcome))
		}
	}
	return wrong
}

// codesFor are the exit codes that fit what is told of the recipients. Doubt
// wins over all; whoever has the message must not get it again, so 3 wins over
// what says to try again. What waits in the outbox is not lost, and is tried
// again by itself.
func (m met) codesFor() []int {
	count, doubts := map[string]int{}, 0
	for _, t := range m.told {
		count[t.outcome]++
		doubts += t.doubts
	}
	failures := []int{65, 67, 68, 69, 75, 76, 77} // disagreements has which
	switch {
	case count["doubt"] > 0:
		return []int{4}
	case count["accepted"] == len(m.told) && doubts > 0:
		return []int{0, 4} // a second copy is possible
	case count["accepted"] == len(m.told):
		return []int{0}
	case m.verb == "queue" && count["open"] > 0 && count["accepted"] > 0:
		return []int{3, 75}
	case m.verb == "batch" && count["open"] > 0:
		return failures
	case count["accepted"] > 0 && doubts > 0:
		return []int{3, 4}
	case count["accepted"] > 0:
		return []int{3}
	}
	return failures
}

// disagreements compares the verbs that met the same fault with one message: the
// name of the failure and the exit code.
func disagreements(of map[string]met) (wrong []string) {
	base, ok := of["send"]
	if !ok || base.persistence != always || base.harmless {
		return nil
	}
	for _, verb := range []string{"queue", "batch"} {
		if passes := base.ended.code == 75 && !refusesAny(base.told); passes && refusesAny(of[verb].final) {
			wrong = append(wrong, fmt.Sprintf("%s gives up what may be tried again: %+v", verb, of[verb].final))
		}
	}
	for _, verb := range []string{"sendmail", "queue"} {
		m, ok := of[verb]
		if !ok {
			continue
		}
		partly := base.ended.code == 3 && slices.Contains(m.codesFor(), m.ended.code) // codesFor has what fits
		if m.ended.code != base.ended.code && !partly {
			wrong = append(wrong, fmt.Sprintf("exit code %d of send and %d of %s", base.ended.code, m.ended.code, verb))
		}
		if verb == "queue" && m.finding != base.finding {
			wrong = append(wrong, fmt.Sprintf("%q for send and %q for queue", base.finding, m.finding))
		}
		entry, known := diagnosis.Lookup(base.finding)
		if verb == "sendmail" && known && !says(m.ended.stderr, entry.Title) {
			wrong = append(wrong, fmt.Sprintf("sendmail does not say %q but %.300s", entry.Title, m.ended.stderr))
		}
	}
	return wrong
}

func refusesAny(list []told) bool {
	return slices.ContainsFunc(list, func(t told) bool { return t.outcome == "refused" })
}
