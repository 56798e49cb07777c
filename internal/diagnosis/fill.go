package diagnosis

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// completeFacts adds what the token's claims and the server's words tell. The
// object id always comes from the token when there is one: it is the enterprise
// application's, which people confuse with the app registration's.
func completeFacts(f Facts, s Symptom) Facts {
	if s.Claims != nil {
		f.ObjectID = cmp.Or(s.Claims.ObjectID, f.ObjectID)
		f.ClientID = cmp.Or(f.ClientID, s.Claims.AppID)
		f.TenantID = cmp.Or(f.TenantID, s.Claims.TenantID)
	}
	if m := notAllowed.Get().FindStringSubmatch(s.Text); m != nil {
		f.Mailbox = cmp.Or(f.Mailbox, m[1])
		f.From = cmp.Or(f.From, m[2])
	}
	return f
}

// notAllowed finds the two addresses of a SendAsDenied reply. What is before
// an address with nothing but a colon or a slash between them is a URL, whose
// part before the @ ends with a password.
var notAllowed = lazyregexp.New(`(?:^|[\s<"'(])([\p{L}\p{N}._%+&=~-]{1,64}@[\p{L}\p{N}.-]{1,253})\s+not\s+allowed\s+to\s+send\s+as\s+<?([\p{L}\p{N}._%+&=~-]{1,64}@[\p{L}\p{N}.-]{0,252}[\p{L}\p{N}])`)

var placeholder = lazyregexp.New(`\{[a-z-]+\}`)

// Fill replaces the placeholders of a sentence.
func (f Facts) Fill(text string) string {
	return placeholder.Get().ReplaceAllStringFunc(text, func(p string) string {
		value, missing := f.value(p)
		if !plain.Get().MatchString(value) && !quotable.Get().MatchString(value) {
			return missing
		}
		return value
	})
}

// FillCommand replaces the placeholders of a command, such as {mailbox}, quoted
// where the shell would take a character for its own.
func (f Facts) FillCommand(text string) string {
	return placeholder.Get().ReplaceAllStringFunc(text, func(p string) string {
		value, missing := f.value(p)
		switch {
		case plain.Get().MatchString(value):
			return value
		case angled.Get().MatchString(value):
			return "'" + value + "'"
		case quotable.Get().MatchString(value):
			return "'" + strings.ReplaceAll(value, "'", "''") + "'"
		}
		return missing
	})
}

// Values come from configuration, tokens and servers, and end in commands that
// people paste into a shell of an administrator. What is neither plain nor
// harmless in single quotes is not put there; curly quotes are quotes to
// PowerShell and so stay out as well. A Message-ID keeps its angle brackets,
// which a message trace wants.
var (
	plain    = lazyregexp.New(`^[\p{L}\p{N}][\p{L}\p{N}._+@:/=-]*$`)
	quotable = lazyregexp.New(`^[\p{L}\p{N}][\p{L}\p{N} ._+@:/=#&!%'*?~|^{}$-]*$`)
	angled   = lazyregexp.New(`^<[\p{L}\p{N}][\p{L}\p{N}._+@:/=#&!%$-]*>$`)
)

// value returns the fact that a placeholder stands for, and what is put in its
// place when it is not known.
func (f Facts) value(p string) (value, missing string) {
	switch p {
	case "{client-id}":
		return f.ClientID, "<client-id>"
	case "{object-id}":
		return f.ObjectID, "<enterprise-app-object-id>"
	case "{tenant-id}":
		return f.TenantID, "<tenant-id>"
	case "{mailbox}":
		return f.Mailbox, "<mailbox>"
	case "{from}":
		return f.From, "<from-address>"
	case "{recipient}":
		return f.Recipient, "<recipient>"
	case "{server}":
		return f.Server, "<server>"
	case "{token-url}":
		return f.TokenURL, "<token-url>"
	case "{way-server}": // what has to be reachable, where a guess is better than a gap
		return f.Server, exchange.SMTPHost
	case "{way-port}":
		return portOf(f.Port), "587"
	case "{way-endpoint}":
		return hostOf(f.TokenURL), exchange.Authority
	case "{message-id}":
		return f.MessageID, "<message-id>"
	}
	return "", p
}

// portOf is "" for no port.
func portOf(port int) string {
	if port == 0 {
		return ""
	}
	return strconv.Itoa(port)
}

// hostOf returns the host of a URL, and the port where the URL has one.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func (f Facts) fillFixes(fixes []Fix) []Fix {
	out := make([]Fix, len(fixes))
	for i, fix := range fixes {
		out[i] = Fix{Text: f.Fill(fix.Text), Who: fix.Who}
		for _, c := range fix.Commands {
			out[i].Commands = append(out[i].Commands, f.FillCommand(c))
		}
	}
	return out
}
