package sessions

import (
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/relay/event"
)

// Kind is what a Record is of.
type Kind string

// The kinds.
const (
	Refused Kind = "refused" // something that was refused, or a session that broke
	Visited Kind = "session" // a session that is over
	More    Kind = "more"    // of one of both, that were counted and not kept
)

// Record is a line of the log. Texts that a client chose are printable.
type Record struct {
	Kind     Kind      `json:"kind"`
	Time     time.Time `json:"time"` // of a session, its end; of More, the end of the minute
	Listener string    `json:"listener,omitempty"`
	Address  string    `json:"address,omitempty"` // of the client, or "uid 33"
	Hello    string    `json:"hello,omitempty"`
	TLS      string    `json:"tls,omitempty"`
	User     string    `json:"user,omitempty"`
	Client   string    `json:"client,omitempty"`

	// Of Refused.
	Stage   event.Stage `json:"stage,omitempty"`
	Code    event.Code  `json:"code,omitempty"`  // of the catalogue
	Cause   string      `json:"cause,omitempty"` // in words
	Mail    string      `json:"mail,omitempty"`
	Rcpt    string      `json:"rcpt,omitempty"`
	Name    string      `json:"name,omitempty"`    // that wanted to sign in
	Exposed bool        `json:"exposed,omitempty"` // a password was sent without TLS
	Reply   string      `json:"reply,omitempty"`

	// Of Visited.
	Began    time.Time `json:"began,omitzero"`
	Senders  []string  `json:"senders,omitempty"` // the first
	Messages int       `json:"messages,omitempty"`
	Octets   int64     `json:"octets,omitempty"`
	Refusals int       `json:"refusals,omitempty"`
	Quirks   string    `json:"quirks,omitempty"`

	// Of More; of others, Network is where they come from until they are written.
	Count   int    `json:"count,omitempty"`
	Network string `json:"network,omitempty"` // "": of several
}

// keptSenders is how many senders of a session are kept.
const keptSenders = 3

func recordOf(k Kind, s *event.Session) *Record {
	return &Record{
		Kind: k, Time: s.Time, Listener: s.Listener, Address: s.Place(), Hello: printable.Line(s.Hello), TLS: s.TLS.String(),
		User: printable.Line(s.User), Client: s.Client,
	}
}

func refused(r *event.Refusal) *Record {
	out := recordOf(Refused, &r.Session)
	out.Stage, out.Code, out.Cause, out.Exposed = r.Stage, r.Entry(), Cause(r), r.Exposed
	out.Mail, out.Rcpt, out.Name, out.Reply = printable.Line(r.Mail), printable.Line(r.Rcpt), printable.Line(r.Name), printable.Line(r.Reply)
	out.Network = network(&r.Session)
	return out
}

func visited(v *event.Visit) *Record {
	out := recordOf(Visited, &v.Session)
	out.Began, out.Messages, out.Octets, out.Refusals, out.Quirks = v.Began, v.Messages, v.Octets, v.Refusals, v.Quirks.String()
	for _, s := range v.Senders[:min(len(v.Senders), keptSenders)] {
		out.Senders = append(out.Senders, printable.Line(s))
	}
	out.Network = network(&v.Session)
	return out
}

// network is what is counted together: a /24 of IPv4, a /48 of IPv6, a user.
func network(s *event.Session) string {
	a := s.Address.Unmap().WithZone("")
	if s.Unix || !a.IsValid() {
		return s.Place()
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil { // never
		return s.Place()
	}
	return p.String()
}

// IsFrom reports whether a record is of an address, of a network ("192.0.2.0/24"), or of
// a user ("uid 33"), each as Address and Network have it.
func (r *Record) IsFrom(place Place) bool {
	if r.Kind == More {
		return place.overlaps(r.Network)
	}
	return place.contains(r.Address)
}

// isUser reports a place on a Unix socket.
func isUser(text string) bool { return strings.HasPrefix(text, "uid ") }

// Summary is what there is beside the time, the kind and the cause, in a line for people.
func (r *Record) Summary() string {
	switch r.Kind {
	case Refused:
		return r.Address + "  " + string(r.Code)
	case More:
		text := fmt.Sprintf("and %d more", r.Count)
		if r.Network != "" {
			text += " from " + r.Network
		}
		return text + " in this minute"
	}
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"client", r.Client}, {"user", r.User}, {"from", strings.Join(r.Senders, ", ")}, {"", r.TLS}, {"quirks", r.Quirks},
	} {
		if part.value != "" {
			parts = append(parts, strings.TrimSpace(part.name+" "+part.value))
		}
	}
	if r.Refusals > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", r.Refusals, plural(r.Refusals, "refusal", "refusals")))
	}
	messages := fmt.Sprintf("%d %s", r.Messages, plural(r.Messages, "message", "messages"))
	if r.Messages > 0 {
		messages += fmt.Sprintf(" (%d octets)", r.Octets)
	}
	return r.Address + "  " + strings.Join(append([]string{messages}, parts...), ", ")
}
