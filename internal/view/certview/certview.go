// Package certview holds what the verbs of certificates show, as text and as the objects
// of --json. It is the room of package view for these verbs.
package certview

import (
	"crypto/rsa"
	"crypto/x509"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// Pair is a certificate and its key.
type Pair struct {
	File      string    `json:"file"`
	KeyFile   string    `json:"key_file,omitempty"` // when it is not File
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	DaysLeft  int       `json:"days_left"` // a begun one counted; zero or less after the end
	SHA1      string    `json:"sha1"`
	SHA256    string    `json:"sha256"`
	KeyBits   int       `json:"key_bits"` // of RSA; 0 for another key
	KeyFits   bool      `json:"key_fits"`
	Usable    bool      `json:"usable"`            // Entra ID takes such a pair, once it is uploaded
	Problem   string    `json:"problem,omitempty"` // why not
}

// NewPair is the view of a pair at a time. It says what Entra ID would refuse.
func NewPair(p *keypair.Pair, now time.Time) Pair {
	leaf, files := p.Leaf(), p.Files()
	v := Pair{
		File: files.Certificate, KeyFile: files.Key, Subject: leaf.Subject.String(), NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(),
		DaysLeft: expiry.Item{Ends: leaf.NotAfter}.Days(now), KeyBits: bitsOf(leaf),
	}
	v.SHA1, v.SHA256 = keypair.Thumbprints(leaf)
	_, _, err := p.Signer()
	v.KeyFits = err == nil
	switch {
	case err != nil:
		v.Problem = err.Error()
	case now.After(leaf.NotAfter):
		v.Problem = "has ended: Entra ID refuses it"
	case now.Before(leaf.NotBefore):
		v.Problem = "is not valid yet: Entra ID refuses it"
	}
	v.Usable = v.Problem == ""
	return v
}

func bitsOf(c *x509.Certificate) int {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}

func (v Pair) print(p *stdio.Printer) {
	p.Printf("%s\n", v.File)
	line := func(name, format string, args ...any) {
		p.Printf("  %-10s "+format+"\n", append([]any{name}, args...)...)
	}
	if v.KeyFile != "" {
		line("key", "%s", v.KeyFile)
	}
	line("subject", "%s", v.Subject)
	left := view.Counted(v.DaysLeft, "day") + " left"
	if v.DaysLeft <= 0 {
		left = "ended"
	}
	line("valid", "%s to %s (%s)", v.NotBefore.Format(time.DateOnly), v.NotAfter.Format(time.DateOnly), left)
	line("SHA-1", "%s", v.SHA1)
	line("SHA-256", "%s", v.SHA256)
	if v.KeyBits > 0 {
		line("key", "RSA, %d bits", v.KeyBits)
	}
	if v.Usable {
		line("Entra ID", "takes such a pair, once it is uploaded")
	} else {
		line("Entra ID", "refuses it: %s", v.Problem)
	}
}

// Made is a new pair.
type Made struct {
	stdio.Schema
	Pair
	Upload   Upload `json:"upload"`
	ExitCode int    `json:"exit_code"`
}

// Print writes the pair, and how to upload it.
func (v Made) Print(p *stdio.Printer) {
	v.Pair.print(p)
	v.Upload.print(p)
	p.Printf("\nThen set SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=%s\n", v.File)
	if v.KeyFile != "" {
		p.Printf("and SMTPSEND_OFFICE_CLIENT_CERTIFICATE_KEY_FILE=%s\n", v.KeyFile)
	}
}

// Shown are the pairs that were asked for: that of the settings and the next one, or that of
// a file.
type Shown struct {
	stdio.Schema
	Pairs    []Pair   `json:"pairs"`
	Notes    []string `json:"notes"`
	ExitCode int      `json:"exit_code"`
}

// NewShown is the view of a pair, and of the next one, or of why that cannot be read; both
// are nil when there is none.
func NewShown(pair, next *keypair.Pair, unread error, now time.Time) Shown {
	v := Shown{Pairs: []Pair{NewPair(pair, now)}, Notes: []string{}}
	switch {
	case next != nil:
		v.Pairs = append(v.Pairs, NewPair(next, now))
		v.Notes = append(v.Notes, "the next pair is used as soon as Entra ID refuses the first; smtpsend cert rotate --finish puts it in its place")
	case unread != nil:
		v.Notes = append(v.Notes, "the next pair cannot be used: "+unread.Error())
	}
	if now.Before(pair.Leaf().NotAfter) {
		v.Notes = append(v.Notes, "rotate before "+v.Pairs[0].NotAfter.Format(time.DateOnly)+
			": after that day Microsoft Graph takes no proof by this certificate, so that cert rotate --upload cannot renew it")
	}
	for _, p := range v.Pairs {
		if !p.Usable {
			v.ExitCode = exit.Config
		}
	}
	return v
}

// Print writes each pair.
func (v Shown) Print(p *stdio.Printer) {
	for i, pair := range v.Pairs {
		if i > 0 {
			p.Printf("\nthe next pair: ")
		}
		pair.print(p)
	}
	for _, n := range v.Notes {
		p.Line("note", "%s", n)
	}
}
