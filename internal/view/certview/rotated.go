package certview

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/certkeeper"
	"github.com/smtpsend/smtpsend/internal/certrotation"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// The outcomes of a run of a rotation.
const (
	Waiting = "waiting" // the next pair is made, and waits for its upload
	Rotated = "rotated" // the next pair is in the place of the present one
	Removed = "removed" // the application no longer has the old certificate
	Nothing = "nothing" // there was nothing to do
)

// Rotation is what a run of a rotation did.
type Rotation struct {
	stdio.Schema
	Outcome  string   `json:"outcome"`
	Present  Pair     `json:"present"`
	Next     *Pair    `json:"next,omitempty"`    // when it waits
	Upload   *Upload  `json:"upload,omitempty"`  // of the next one
	Existed  bool     `json:"existed,omitempty"` // the next one was there before this run
	Kept     string   `json:"kept,omitempty"`    // file of the old pair
	OldPrint string   `json:"old_sha1,omitempty"`
	Removed  []string `json:"removed"` // SHA-1 of old certificates that the application no longer has
	ByHand   []string `json:"by_hand"` // SHA-1 of those that only people can remove
	ExitCode int      `json:"exit_code"`
}

// NewRotation is the view of what was done, at a time; the client ID is for the lines by
// which the next certificate is uploaded.
func NewRotation(d certkeeper.Done, clientID string, now time.Time) Rotation {
	v := Rotation{Present: NewPair(d.Present, now), Removed: []string{}, ByHand: []string{}}
	begun, finished := d.Begun, d.Finished
	if d.Uploaded != nil {
		finished = d.Uploaded.Finished
	}
	if begun != nil && begun.Ended {
		finished = &certrotation.Finished{Now: begun.Present}
	}
	switch {
	case finished != nil:
		place := v.Present // the new pair was read as the next one, and is no longer there
		v.Outcome, v.Present, v.Kept = Rotated, NewPair(finished.Now, now), finished.Kept
		v.Present.File, v.Present.KeyFile = place.File, place.KeyFile
		if finished.Old != nil {
			v.OldPrint, _ = keypair.Thumbprints(finished.Old.Leaf())
		}
	case begun != nil:
		next, upload := NewPair(begun.Next, now), NewUpload(begun.Public, clientID)
		v.Outcome, v.Next, v.Upload, v.Existed = Waiting, &next, &upload, begun.Existed
	case d.Uploaded != nil:
		v.Outcome, v.Removed, v.ByHand = Removed, append(v.Removed, d.Uploaded.Removed...), append(v.ByHand, d.Uploaded.ByHand...)
	default:
		v.Outcome = Nothing
	}
	return v
}

func (v Rotation) begin() string {
	if v.Existed {
		return "The next pair is there already."
	}
	return "The next pair is made."
}

// until is what happens before the upload.
func (v Rotation) until() string {
	if v.Present.DaysLeft <= 0 {
		return "no mail is submitted: the present one has ended."
	}
	return "the present one is used."
}

// Print writes what was done, and what is to be done.
func (v Rotation) Print(p *stdio.Printer) {
	switch v.Outcome {
	case Waiting:
		p.Printf("%s Until it is uploaded, %s\n\n", v.begin(), v.until())
		v.Next.print(p)
		v.Upload.print(p)
		p.Printf("\nThen: smtpsend cert rotate --finish\n")
	case Rotated:
		p.Printf("The certificate is rotated: the new one got a token and signed in.\n\n")
		v.Present.print(p)
		if v.Kept != "" {
			p.Printf("\nThe old pair is kept: %s\n", v.Kept)
			p.Printf("When every host has the new one, remove the old certificate (%s) from the app\nregistration: by cert rotate --upload, or by hand.\n", v.OldPrint)
		}
	case Removed:
		for _, print := range v.Removed {
			p.Printf("The app registration no longer has the old certificate %s\n", print)
		}
		for _, print := range v.ByHand {
			p.Printf("Remove the old certificate by hand, because its key ID is not known: %s (SHA-1, as the portal shows it)\n", print)
		}
	case Nothing:
		p.Printf("nothing to do: %s is valid until %s\n", v.Present.File, v.Present.NotAfter.Format(time.DateOnly))
	}
}
