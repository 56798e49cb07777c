// Package expiryview holds what the verb expiry shows, as text, as the object of --json
// and as a line for Nagios. It is the room of package view for this verb.
package expiryview

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Report is what ends, and when.
type Report struct {
	stdio.Schema
	ExitCode   int             `json:"exit_code"`
	Credential string          `json:"credential"` // in use, and what chose it
	Within     float64         `json:"within_days"`
	Ending     int             `json:"ending"` // how many of expiry end within that time, or have ended
	Expiry     []expiry.Found  `json:"expiry"`
	Notice     json.RawMessage `json:"notice,omitempty"` // the object of send for the mail of --notify

	items  []expiry.Item
	now    time.Time
	within time.Duration
}

// New is the view of items at a time. Its exit code is exit.Ends when one of them has
// ended or ends within that time.
func New(credential string, items []expiry.Item, now time.Time, within time.Duration) Report {
	v := Report{
		Credential: credential, Within: math.Round(float64(within)/float64(expiry.Day)*1000) / 1000, Expiry: expiry.Find(items, now, within),
		Ending: len(expiry.Within(items, now, within)), items: items, now: now, within: within,
	}
	if v.Ending > 0 {
		v.ExitCode = exit.Ends
	}
	return v
}

// PrintItems writes a line for each item. It does not say that nothing ends, so it is right
// when not everything could be looked at.
func (v Report) PrintItems(p *stdio.Printer) {
	for _, f := range v.Expiry {
		p.Printf("%-9s  %s\n", f.State, f.Text)
	}
}

// Print writes a line for each item, and whether nothing ends.
func (v Report) Print(p *stdio.Printer) {
	v.PrintItems(p)
	switch {
	case len(v.Expiry) == 0:
		p.Printf("nothing of these settings ends by itself (%s)\n", v.Credential)
	case v.Ending == 0:
		p.Printf("nothing ends within %s\n", spanText(v.within))
	}
}

// Text is what a mail says of that which ends.
func (v Report) Text() string {
	var b strings.Builder
	for _, i := range expiry.Within(v.items, v.now, v.within) {
		text := i.Text(v.now)
		b.WriteString(strings.ToUpper(text[:1]) + text[1:] + ".\n\n")
	}
	return b.String()
}

// Subject is that of the mail.
func (v Report) Subject() string {
	soon := expiry.Within(v.items, v.now, v.within)
	subject := "smtpsend: " + soon[0].When(v.now)
	if len(soon) > 1 {
		subject += fmt.Sprintf(", and %d more", len(soon)-1)
	}
	return subject
}

// Nagios is the line of a plugin, and its exit code. unread, when not nil, says why not
// all could be looked at.
func (v Report) Nagios(unread error) (string, int) {
	var soon []string
	state, code := "OK", exit.OK
	if unread != nil {
		state, code, soon = "UNKNOWN", exit.NagiosUnknown, append(soon, unread.Error())
	}
	for _, i := range expiry.Within(v.items, v.now, v.within) {
		soon = append(soon, i.Text(v.now))
		switch {
		case i.Critical(v.now):
			state, code = "CRITICAL", exit.NagiosCritical
		case code == exit.OK:
			state, code = "WARNING", exit.NagiosWarning
		}
	}
	text := strings.Join(soon, "; ")
	if text == "" {
		text = v.best()
	}
	return Nagios(state, text) + v.performance(), code
}

// best says what ends first, though not soon.
func (v Report) best() string {
	text := "nothing ends within " + spanText(v.within)
	first := -1
	for n, i := range v.items {
		if first < 0 || i.Over().Before(v.items[first].Over()) {
			first = n
		}
	}
	if first >= 0 {
		text += "; " + v.items[first].When(v.now)
	}
	return text
}

// Nagios is a line of a plugin without performance data.
func Nagios(state, text string) string {
	return "EXPIRY " + state + " - " + strings.NewReplacer("|", "/", "\n", " ").Replace(text)
}

// performance are the days that are left of each item, with the ranges of warning and
// critical ("Performance data" of the guidelines). Of a token that another program renews many
// times a day there are no ranges.
func (v Report) performance() string {
	var b strings.Builder
	warning := int(math.Ceil(float64(v.within) / float64(expiry.Day)))
	critical := int(min(v.within, expiry.Urgent) / expiry.Day)
	for n, f := range v.Expiry {
		b.WriteString([]string{" |", ""}[min(n, 1)])
		label := strings.NewReplacer("'", "", "=", "", "|", "", "\n", "").Replace(string(f.What) + " " + f.Name)
		fmt.Fprintf(&b, " '%s'=%d", label, f.Days)
		if isRenewed := f.What == expiry.FederatedToken || f.What == expiry.AccessToken; !isRenewed {
			fmt.Fprintf(&b, ";%d:;%d:", warning, critical)
		}
	}
	return b.String()
}
