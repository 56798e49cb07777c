// Package expiry says, of what a submission needs and what ends by itself, when it ends,
// and in words what to do about it: certificates, client secrets, tokens that another
// program renews. It reads nothing and asks no clock: the time is always given.
package expiry

import (
	"fmt"
	"math"
	"time"

	"github.com/smtpsend/smtpsend/internal/setting"
)

// Kind is what ends.
type Kind string

// The kinds.
const (
	Certificate      Kind = "client certificate"
	NextCertificate  Kind = "next client certificate"
	ClientSecret     Kind = "client secret"
	FederatedToken   Kind = "federated token" // that another program renews
	AccessToken      Kind = "access token"    // that another program renews
	RelayCertificate Kind = "relay certificate"
)

// Notice is how long before its end something is worth a warning.
const Notice = 30 * Day

// Urgent is how long before its end something is critical for a monitoring system,
// unless what follows it is there.
const Urgent = 7 * Day

// Day is 24 hours.
const Day = 24 * time.Hour

// Item is something that ends.
type Item struct {
	Kind Kind
	Name string // of the file, or of the variable
	// Ends is the moment; with WholeDay it is the begin of the last day, in the zone in
	// which it is shown.
	Ends     time.Time
	WholeDay bool
	// Followed says that the credential that takes its place is there.
	Followed bool
	// NextEnds is the end of what follows; zero when that is not known.
	NextEnds time.Time
}

// FollowedBy is the item with what takes its place and ends at that time. What ends
// sooner takes no place.
func (i Item) FollowedBy(ends time.Time) Item {
	if ends.After(i.Ends) {
		i.Followed, i.NextEnds = true, ends
	}
	return i
}

// isRenewed reports that another program renews it many times a day: then only an end
// that has passed means something.
func (i Item) isRenewed() bool { return i.Kind == FederatedToken || i.Kind == AccessToken }

// Over is the first moment at which it has ended.
func (i Item) Over() time.Time {
	if i.WholeDay {
		return i.Ends.AddDate(0, 0, 1)
	}
	return i.Ends
}

// Ended reports that it has ended.
func (i Item) Ended(now time.Time) bool { return !now.Before(i.Over()) }

// EndsWithin reports that it has ended, or ends within that time.
func (i Item) EndsWithin(now time.Time, within time.Duration) bool {
	if i.isRenewed() {
		return i.Ended(now)
	}
	return i.Ended(now) || i.Ends.Sub(now) <= within
}

// Critical reports that mail stops now or within a week, because nothing follows.
func (i Item) Critical(now time.Time) bool {
	return i.Kind != NextCertificate && !i.follows(now) && i.EndsWithin(now, Urgent)
}

// follows reports that what takes its place is there, and has not ended itself.
func (i Item) follows(now time.Time) bool {
	return i.Followed && (i.NextEnds.IsZero() || i.NextEnds.After(now))
}

// Days are those that are left, a begun one counted; after the end, those that have
// passed since, as a negative number.
func (i Item) Days(now time.Time) int {
	if i.WholeDay { // by the calendar: a day may have 23 or 25 hours
		return int(dateOf(i.Ends).Sub(dateOf(now.In(i.Ends.Location()))) / Day)
	}
	left := i.Ends.Sub(now)
	if left > 0 {
		return int(math.Ceil(float64(left) / float64(Day)))
	}
	return -int(-left / Day)
}

// dateOf is the day of a time, in a zone whose days have 24 hours.
func dateOf(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// State is how far it is, in a word for programs.
type State string

// The states.
const (
	Valid    State = "valid"
	EndsSoon State = "ends soon"
	HasEnded State = "ended"
)

// State is how far it is, when a warning is due within that time before the end.
func (i Item) State(now time.Time, within time.Duration) State {
	switch {
	case i.Ended(now):
		return HasEnded
	case i.EndsWithin(now, within):
		return EndsSoon
	}
	return Valid
}

// Text says on one line what ends, on which day, in how many days, and what to do. The
// day is that of now's zone.
func (i Item) Text(now time.Time) string { return i.When(now) + ": " + i.advice(now) }

// When is Text without what to do.
func (i Item) When(now time.Time) string {
	name := fmt.Sprintf("the %s (%s)", i.Kind, i.Name)
	switch {
	case i.isRenewed() && i.Ended(now):
		return fmt.Sprintf("%s ended at %s and has not been renewed", name, i.Ends.In(now.Location()).Format("2006-01-02 15:04:05 -0700"))
	case i.Ended(now):
		return fmt.Sprintf("%s ended on %s, %s", name, i.day(now), i.passed(now))
	}
	return fmt.Sprintf("%s ends on %s, %s", name, i.day(now), i.left(now))
}

func (i Item) day(now time.Time) string {
	if i.WholeDay {
		return i.Ends.Format(time.DateOnly)
	}
	return i.Ends.In(now.Location()).Format(time.DateOnly)
}

func (i Item) left(now time.Time) string {
	switch days := i.Days(now); {
	case days <= 0:
		return "today"
	case days == 1 && !i.WholeDay:
		return "in less than a day"
	case days == 1:
		return "tomorrow"
	default:
		return fmt.Sprintf("in %d days", days)
	}
}

func (i Item) passed(now time.Time) string {
	switch days := -i.Days(now); days {
	case 0:
		return "less than a day ago"
	case 1:
		return "1 day ago"
	default:
		return fmt.Sprintf("%d days ago", days)
	}
}

// advice is what to do, with what happens else.
func (i Item) advice(now time.Time) string {
	const finish = "finish with: smtpsend cert rotate --finish"
	ended := i.Ended(now)
	switch i.Kind {
	case Certificate:
		switch {
		case i.follows(now):
			return "the next one is there, until " + i.NextEnds.Format(time.DateOnly) + "; " + finish
		case ended:
			return "Microsoft Entra ID refuses it, and no mail is submitted: make a new one with smtpsend cert rotate, upload it, then " + finish
		}
		return "make the next one with smtpsend cert rotate, upload it, then " + finish
	case NextCertificate:
		if ended {
			return "it cannot take the place of the present one: make another with smtpsend cert rotate"
		}
		return "put it in place with smtpsend cert rotate --finish and rotate again, or remove the file and make another with smtpsend cert rotate"
	case ClientSecret:
		return i.secretAdvice(ended)
	case RelayCertificate:
		if ended {
			return "clients that check it do not submit: renew the file"
		}
		return "clients that check it will not submit: renew the file"
	}
	return "check the program that renews it"
}

func (i Item) secretAdvice(ended bool) string {
	const next, day = setting.Prefix + setting.ClientSecretNext, setting.Prefix + setting.ClientSecretExpires
	const fix = "make a new secret in Microsoft Entra ID (App registrations, Certificates & secrets) and set "
	switch {
	case i.Followed:
		return next + " is set and is used in its place: move it to " + setting.Prefix + setting.ClientSecret + ", and set " + day + " to its day"
	case ended:
		return "Microsoft Entra ID refuses it, and no mail is submitted: " + fix + setting.Prefix + setting.ClientSecret + " and " + day
	}
	return fix + next + " to it"
}

// steps are the days before the end at which people are told, once each.
var steps = [...]int{1, 3, 7, 14, 30}

// Step is the last of the days 30, 14, 7, 3 and 1 before the end that has come, 0 after
// the end. ok reports that one has.
func (i Item) Step(now time.Time) (days int, ok bool) {
	if i.Ended(now) {
		return 0, true
	}
	for _, days := range steps {
		if i.EndsWithin(now, time.Duration(days)*Day) {
			return days, true
		}
	}
	return 0, false
}

// Warning is the error that says that something ends soon, or has ended.
type Warning struct {
	Item Item
	At   time.Time // when that was found
}

// Error is the item's text.
func (w *Warning) Error() string { return w.Item.Text(w.At) }

// Topic names the item, its end and whether that has passed; it does not change from day to
// day.
func (w *Warning) Topic() string {
	return fmt.Sprintf("%s %s %d %v", w.Item.Kind, w.Item.Name, w.Item.Ends.Unix(), w.Item.Ended(w.At))
}

// Within are the items that have ended, or end within that time.
func Within(items []Item, now time.Time, within time.Duration) []Item {
	var soon []Item
	for _, i := range items {
		if i.EndsWithin(now, within) {
			soon = append(soon, i)
		}
	}
	return soon
}

// Found is an item as --json has it.
type Found struct {
	What  Kind      `json:"what"`
	Name  string    `json:"name"` // of the file, or of the variable
	State State     `json:"state"`
	Ends  time.Time `json:"ends"` // the first moment at which it has ended
	Day   string    `json:"day"`  // the last one, in the zone of this host
	Days  int       `json:"days"` // left; negative after the end
	Text  string    `json:"text"`
}

// Find are the items as --json has them, when a warning is due within that time before
// an end. It is never nil.
func Find(items []Item, now time.Time, within time.Duration) []Found {
	found := []Found{}
	for _, i := range items {
		f := Found{What: i.Kind, Name: i.Name, State: i.State(now, within), Ends: i.Over(), Day: i.day(now), Days: i.Days(now), Text: i.When(now)}
		if f.State != Valid {
			f.Text = i.Text(now)
		}
		found = append(found, f)
	}
	return found
}
