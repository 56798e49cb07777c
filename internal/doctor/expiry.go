package doctor

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/expiry"
)

// SayEnds adds what ends by itself. What ends soon, or has ended, is a note of the check
// of the settings, and so is why not all of it is known, unread, when that is not nil.
func (o *Options) SayEnds(ends []expiry.Found, unread error) {
	o.Ends = ends
	var notes []string
	for _, f := range ends {
		if f.State != expiry.Valid {
			notes = append(notes, f.Text)
		}
	}
	if unread != nil {
		notes = append(notes, "it is not known when all of it ends: "+strings.ReplaceAll(unread.Error(), "\n", "; "))
	}
	if len(notes) > 0 && o.Settings.Status == OK {
		o.Settings.Status = Warn
	}
	o.Settings.Notes = append(o.Settings.Notes, notes...)
}
