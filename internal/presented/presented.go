// Package presented has what a client showed to prove who it is, as far as everyone may
// see it: the thumbprints of a certificate, or issuer, subject and audience of another
// issuer's token. Entra ID compares these octet for octet with what was registered, and
// its refusals repeat them in part only.
package presented

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// Proof is what was shown. Fields that do not apply are empty.
type Proof struct {
	Thumbprint       string    `json:"thumbprint,omitempty"`        // SHA-1 of the certificate, as the portal shows it
	ThumbprintSHA256 string    `json:"thumbprint_sha256,omitempty"` // as the request names it
	Starts           time.Time `json:"starts,omitzero"`             // of the certificate
	Ends             time.Time `json:"ends,omitzero"`               // of the certificate or the token

	Issuer   string `json:"issuer,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Audience string `json:"audience,omitempty"`

	At    time.Time `json:"at,omitzero"`          // by the clock of this machine
	Their time.Time `json:"endpoint_at,omitzero"` // by the Date of the endpoint's answer
}

// maxSkew is the difference of two clocks that is not worth a word: requests take time,
// and Date has whole seconds.
const maxSkew = 30 * time.Second

// Note says in sentences what was shown, and what is odd about it.
func (p Proof) Note() string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if p.Thumbprint != "" {
		add("The certificate that was used has the thumbprint %s (SHA-1), and %s (SHA-256).", p.Thumbprint, p.ThumbprintSHA256)
	}
	if p.Issuer != "" || p.Subject != "" || p.Audience != "" {
		add("The token has the issuer %s, the subject %s and the audience %s.", quoted(p.Issuer), quoted(p.Subject), quoted(p.Audience))
	}
	if p.At.Before(p.Starts) && !p.At.IsZero() {
		add("It is not valid before %s.", p.Starts.UTC().Format(time.RFC3339))
	}
	isOver := !p.Ends.IsZero() && !p.At.IsZero() && p.At.After(p.Ends)
	if isOver {
		add("It ended at %s.", p.Ends.UTC().Format(time.RFC3339))
	}
	if immutableSubject.Get().MatchString(p.Subject) {
		add("The subject has the ids of owner and repository, as GitHub writes it for repositories that were created, renamed or transferred after the middle of 2026: a credential made by the portal's page for GitHub has the form without them.")
	}
	if skew := p.At.Sub(p.Their); !p.At.IsZero() && !p.Their.IsZero() && skew.Abs() > maxSkew {
		direction := "behind"
		if skew > 0 {
			direction = "ahead of"
		}
		add("The clock of this machine is %v %s the endpoint's.", skew.Abs().Round(time.Second), direction)
	}
	return strings.Join(notes, " ")
}

func quoted(s string) string {
	if s == "" {
		return "(none)"
	}
	return "'" + printable.Line(s) + "'"
}

// immutableSubject is repo:OWNER@ID/REPOSITORY@ID:..., or the announced form with hyphens.
var immutableSubject = lazyregexp.New(`^repo:[^/:@]+(@|-)[0-9]{4,}/[^:@]+(@|-)[0-9]{4,}:`)

// Commands are the lines that make the federated credential which this token matches: for
// a POSIX shell, and for PowerShell, which takes quotes out of the arguments of programs.
// None, when a part of it is not known.
func (p Proof) Commands(clientID string) []string {
	if p.Issuer == "" || p.Subject == "" || p.Audience == "" {
		return nil
	}
	if !plainID.Get().MatchString(clientID) {
		clientID = "<client-id>"
	}
	parameters := inSingleQuotes(struct {
		Name      string   `json:"name"`
		Issuer    string   `json:"issuer"`
		Subject   string   `json:"subject"`
		Audiences []string `json:"audiences"`
	}{"smtpsend", p.Issuer, p.Subject, []string{p.Audience}})
	return []string{
		"az ad app federated-credential create --id " + clientID + " --parameters " + parameters,
		parameters + " | Set-Content federated.json   # PowerShell",
		"az ad app federated-credential create --id " + clientID + " --parameters federated.json",
	}
}

var plainID = lazyregexp.New(`^[0-9A-Za-z-]{1,64}$`)

// inSingleQuotes is JSON that both shells take literally: what is a quote to either is
// written as \u and four digits, and so is all that is not ASCII.
func inSingleQuotes(v any) string {
	data, _ := json.Marshal(v) // of texts alone, which cannot fail
	var b strings.Builder
	for _, r := range string(data) {
		switch {
		case r >= ' ' && r < 0x7f && r != '\'':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return "'" + b.String() + "'"
}

var (
	saidIssuer   = lazyregexp.New(`(?i)assertion issuer:? '([^'\r\n]{1,600})'`)
	saidSubject  = lazyregexp.New(`(?i)assertion subject:? '([^'\r\n]{1,600})'`)
	saidAudience = lazyregexp.New(`(?i)assertion audience:? '([^'\r\n]{1,600})'`)
)

// InText is what a refusal of Entra ID repeats, for texts of other programs.
func InText(text string) Proof {
	find := func(r *lazyregexp.Expression) string {
		if m := r.Get().FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	return Proof{Issuer: find(saidIssuer), Subject: find(saidSubject), Audience: find(saidAudience)}
}
