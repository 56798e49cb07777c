package smtpserver

import (
	"os"
	"strconv"
	"strings"
)

// Reply is what the server says and does next.
type Reply struct {
	Code  int      // decides how the dialogue goes on
	Lines []string // one line each; one line feed inside begins another; none gives the code alone

	// Raw, when not nil, is sent in place of Code and Lines: half a line, no
	// line (empty), anything. For servers that misbehave on purpose.
	Raw []byte
	// Close closes the connection after the reply, Reset so that the client
	// gets a TCP reset and perhaps no reply.
	Close, Reset bool

	breaks Cause // why this package closes
}

// Say returns a reply of code and lines.
func Say(code int, lines ...string) Reply { return Reply{Code: code, Lines: lines} }

// ThenClose returns the reply with Close set.
func (r Reply) ThenClose() Reply {
	r.Close = true
	return r
}

// breaking returns the reply as the last of a session that is broken.
func (r Reply) breaking(cause Cause) Reply {
	r.breaks = cause
	return r
}

func (r Reply) positive() bool { return r.Code/100 == 2 }

func (r Reply) ends() bool { return r.Close || r.Reset }

func (r Reply) appendTo(out []byte) []byte {
	if r.Raw != nil {
		return append(out, r.Raw...)
	}
	lines := strings.Split(strings.ReplaceAll(strings.Join(r.Lines, "\n"), "\r", ""), "\n")
	for i, line := range lines {
		out = strconv.AppendInt(out, int64(r.Code), 10)
		switch {
		case i < len(lines)-1:
			out = append(out, '-')
		case line != "":
			out = append(out, ' ')
		}
		out = append(append(out, line...), "\r\n"...)
	}
	return out
}

// The package's own replies, with the words of Exchange where those are known.
// After 421 the connection is closed (RFC 5321 3.8).
const (
	tooManyConnections = "421 4.3.2 Too many connections, try again later"
	tooManyOfAddress   = "421 4.7.0 Too many connections from your address, try again later"
	tooManyCommands    = "421 4.7.0 Too many commands without a message, closing transmission channel"
	timedOut           = "421 4.4.1 Connection timed out"
	shuttingDown       = "421 4.3.2 Service not available, closing transmission channel"
	tooManyErrors      = "421 4.7.0 Too many errors on this connection, closing transmission channel"
	authenticateFirst  = "421 4.7.0 Too many commands without authentication, closing transmission channel"
	injected           = "554 5.5.1 Data after STARTTLS, closing transmission channel"
	spokeHTTP          = "554 5.5.1 SMTP is spoken here, not HTTP"
	tooManyRecipients  = "452 4.5.3 Too many recipients"
	tooLarge           = "552 5.3.4 Message size exceeds fixed maximum message size"
	bareInContent      = "550 5.6.11 Invalid characters: a line end must be CRLF"
)

// Refusals of form and order. Each is counted towards Options.MaxErrors.
const (
	lineTooLong      = "500 5.5.2 Line too long"
	bareLineEnd      = "500 5.5.2 Line must end with CRLF"
	unrecognized     = "500 5.3.3 Unrecognized command"
	invalidArguments = "501 5.5.4 Invalid arguments"
	invalidDomain    = "501 5.5.4 Invalid domain name"
	invalidAddress   = "501 5.1.7 Invalid address"
	invalidRecipient = "501 5.1.3 Invalid address"
	invalidBase64    = "501 5.5.2 Cannot decode response"
	cancelled        = "501 5.7.0 Authentication cancelled"
	unknownParameter = "555 5.5.4 Unsupported option"
	helloFirst       = "503 5.5.2 Send hello first"
	needMail         = "503 5.5.2 Need mail command"
	needRcpt         = "503 5.5.2 Need rcpt command"
	mailTwice        = "503 5.5.2 Sender already specified"
	badSequence      = "503 5.5.1 Bad sequence of commands"
)

// fixed makes a reply of one of these.
func fixed(text string) Reply {
	code, _ := strconv.Atoi(text[:3]) // the constants above have one
	return Reply{Code: code, Lines: []string{text[4:]}, Close: code == 421}
}

// HostName is the name of this host as a greeting and EHLO say it, "localhost" where it
// has none. It is not checked to be a domain.
func HostName() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}
