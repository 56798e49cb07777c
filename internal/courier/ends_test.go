package courier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// The operator is told by both roads once at each step, however often a run starts, and
// once after the end; again when what was renewed ends.
func TestTheOperatorIsToldOfAnEndOnceAtEachStep(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	end := time.Date(2027, 11, 30, 12, 0, 0, 0, time.Local)
	item := expiry.Item{Kind: expiry.Certificate, Name: "client.pem", Ends: end}
	now := end.AddDate(0, 0, -31)
	var h heard
	o := courier.Options{
		Due: true, Operator: contoso("operator"), From: contoso("a"), Notify: h.hear, Now: func() time.Time { return now },
		Ends: func(context.Context) ([]expiry.Item, error) {
			return []expiry.Item{item}, errors.New("another file cannot be read")
		},
	}
	for range 34 * 2 { // two runs a day
		l.run(t.Context(), o)
		now = now.Add(12 * time.Hour)
	}
	want := []string{"in 30 days", "in 14 days", "in 7 days", "in 3 days", "in less than a day", "less than a day ago"}
	var told []string
	for _, i := range h.list {
		text, _ := strings.CutPrefix(i.Summary, "the client certificate (client.pem) end")
		_, text, _ = strings.Cut(text, ", ")
		told = append(told, text)
	}
	if !slices.Equal(told, want) {
		t.Fatalf("told %q, want %q", told, want)
	}
	if first, last := h.list[0], h.list[5]; first.Kind != "ends_soon" || last.Kind != "ended" || first.Mailbox != "" || first.Release != "" ||
		first.Said != "the client certificate (client.pem) ends on 2027-11-30, in 30 days: make the next one with smtpsend cert rotate, upload it, then finish with: smtpsend cert rotate --finish" {
		t.Errorf("told %+v and %+v", first, last)
	}
	arrived := l.arrived()
	if len(arrived) != 6 || arrived[0] != "a@contoso.example: smtpsend: the client certificate (client.pem) ends on 2027-11-30, in 30 days" {
		t.Errorf("arrived %q", arrived)
	}
	raw, _ := l.box.Raw(l.box.Messages()[5].ID)
	text := strings.ReplaceAll(string(raw), "=\r\n", "")
	if !strings.Contains(text, "ended\r\n    the client certificate (client.pem) ended on 2027-11-30, less than a day ago: Microsoft Entra ID refuses it") {
		t.Errorf("the mail says\n%s", text)
	}
	item.Ends = now.AddDate(0, 0, 2)
	l.run(t.Context(), o)
	if len(h.list) != 7 || !strings.HasSuffix(h.list[6].Summary, "in 2 days") {
		t.Errorf("after the renewal told %d, the last %s", len(h.list), fmt.Sprint(h.list[len(h.list)-1]))
	}
}

// Two settings may use one outbox, and call different secrets alike: each end is told once.
func TestEndsOfOneNameAreToldOnceEach(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	var h heard
	for range 3 {
		for _, days := range []time.Duration{5, 20} {
			items := []expiry.Item{{Kind: expiry.ClientSecret, Name: "SECRET", Ends: time.Now().Truncate(expiry.Day).Add(days * expiry.Day), WholeDay: true}}
			l.run(t.Context(), courier.Options{Due: true, Notify: h.hear, Ends: func(context.Context) ([]expiry.Item, error) { return items, nil }})
		}
	}
	if len(h.list) != 2 {
		t.Errorf("told %d times, want 2", len(h.list))
	}
}

// Who has named no road is told once there is one.
func TestAnEndIsNotForgottenWithoutARoad(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	items := []expiry.Item{{Kind: expiry.RelayCertificate, Name: "relay.pem", Ends: time.Now().Add(-time.Hour)}}
	o := courier.Options{Due: true, Ends: func(context.Context) ([]expiry.Item, error) { return items, nil }}
	l.run(t.Context(), o)
	var h heard
	o.Notify = h.hear
	l.run(t.Context(), o)
	l.run(t.Context(), o)
	if len(h.list) != 1 || h.list[0].Kind != "ended" {
		t.Errorf("told %+v", h.list)
	}
}

// A process without a road to the operator warns in its log: it may run for months.
func TestAnEndIsToldInTheRunItself(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	items := []expiry.Item{
		{Kind: expiry.RelayCertificate, Name: "relay.pem", Ends: time.Now().Add(5 * expiry.Day)},
		{Kind: expiry.Certificate, Name: "client.pem", Ends: time.Now().Add(50 * expiry.Day)},
	}
	var told []string
	o := courier.Options{
		Due: true, Ends: func(context.Context) ([]expiry.Item, error) { return items, nil },
		Ending: func(w *expiry.Warning) { told = append(told, w.Error()) },
	}
	l.run(t.Context(), o)
	if len(told) != 1 || !strings.HasPrefix(told[0], "the relay certificate (relay.pem) ends on ") {
		t.Errorf("told %q", told)
	}
}
