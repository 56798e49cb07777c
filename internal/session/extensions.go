package session

import (
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Extensions are what the server offers in its EHLO reply: the parameters of each
// keyword.
type Extensions map[string]string

// Offers reports whether the server has the extension, and its parameters.
func (e Extensions) Offers(extension string) (parameters string, ok bool) {
	parameters, ok = e[extension]
	return parameters, ok
}

// SizeLimit is the server's SIZE in octets (RFC 1870); no number and 0 mean that
// it names none.
func (e Extensions) SizeLimit() (octets int64, ok bool) {
	parameters, ok := e.Offers("SIZE")
	n, err := strconv.ParseInt(parameters, 10, 64)
	return n, ok && err == nil && n > 0
}

// readExtensions reads the lines of an EHLO reply after the first (RFC 5321
// 4.1.1.1). Keywords are not case-sensitive; the first line of a kind counts.
// Mechanisms are gathered from all lines with AUTH, of which old servers have
// one with "AUTH=" for older clients.
func readExtensions(r smtp.Reply) Extensions {
	ext := make(Extensions)
	for _, line := range r.Lines[1:] {
		keyword, parameters, _ := strings.Cut(strings.TrimSpace(line), " ")
		keyword = strings.ToUpper(keyword)
		if first, ok := strings.CutPrefix(keyword, "AUTH="); ok {
			keyword, parameters = "AUTH", first+" "+parameters
		}
		switch before, again := ext[keyword]; {
		case !again:
			ext[keyword] = strings.TrimSpace(parameters)
		case keyword == "AUTH":
			ext[keyword] = strings.TrimSpace(before + " " + parameters)
		}
	}
	return ext
}
