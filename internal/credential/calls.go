package credential

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// calls are functions whose arguments in quotes are a name and a password, or a
// secret alone.
var calls = []string{
	"login", "authenticate", "authenticateasync", "networkcredential", "passwordauthentication", "plainauth", "cramMD5auth", "loginauth", "pscredential",
	"credential", "credentials", "clientsecretcredential", "clientcredential", "withclientsecret", "setpassword", "setauthentication", "setcredentials",
	"auth", "connect", "basicauth", "usernamepasswordcredential",
}

// calls finds credentials among the arguments of functions in source code and in
// PowerShell.
func (s *scan) calls() {
	for _, name := range calls {
		name = strings.ToLower(name)
		s.every(name, func(at int) int {
			rest := part(s.text, at+len(name), 600)
			open := strings.TrimLeft(rest, " ")
			if !strings.HasPrefix(open, "(") {
				return 0
			}
			return s.arguments(at+len(name)+len(rest)-len(open)+1, name)
		})
	}
	s.every("convertto-securestring", func(at int) int {
		if first := secureString().FindString(part(s.low, at, 80)); first != "" {
			if start, end, ok := s.quoted(at + len(first)); ok && s.plausible(s.text[start:end]) {
				s.mark(start, end, s.text[start:end], true)
				return end
			} else if end := s.run(at+len(first), inValue); end > at+len(first) && s.plausible(s.text[at+len(first):end]) && s.text[at+len(first)] != '-' {
				s.mark(at+len(first), end, s.text[at+len(first):end], true)
			}
		}
		return 0
	})
	s.options()
}

var secureString = lazyregexp.New(`^convertto-securestring\s+(?:-(?:string|asplaintext|force)[ :]+)*`)

// arguments marks the texts in quotes among the arguments that begin at at, but
// the first when there are several: that is a name. It returns their end.
func (s *scan) arguments(at int, name string) int {
	var texts []region
	for limit := min(len(s.text), at+600); at < limit && len(texts) < 8; {
		switch c := s.text[at]; {
		case c == ')', c == '\n' && len(texts) == 0 && strings.TrimSpace(part(s.text, at, 2)) != "":
			limit = at
		case c == '"' || c == '\'' || c == '`':
			start, end, ok := s.quoted(at)
			if !ok {
				start, end = at+1, at+1
			}
			texts = append(texts, region{start, end})
			at = end + 1
		default:
			at++
		}
	}
	alone := strings.Contains(name, "secret") || strings.Contains(name, "password") && !strings.Contains(name, "auth") && name != "usernamepasswordcredential"
	for i, t := range texts {
		value := s.text[t.start:t.end]
		if i == 0 && !alone || len(value) < 3 || !s.plausible(value) {
			continue
		}
		s.mark(t.start, t.end, value, !hostLike().MatchString(value) && !word(value))
	}
	return at
}

// options finds passwords in options of commands that have no name of their own:
// curl -u name:password, swaks -ap password.
func (s *scan) options() {
	for _, option := range []string{"-u", "--user", "--proxy-user", "-ap", "-xp", "-au"} {
		s.every(option, func(at int) int {
			from := at + len(option)
			if at > 0 && strings.IndexByte(" \t\n'\"+", s.text[at-1]) < 0 || from >= len(s.text) || strings.IndexByte(" \t=+", s.text[from]) < 0 {
				return 0
			}
			from = s.run(from, func(c byte) bool { return c == ' ' || c == '\t' || c == '=' || c == '+' })
			start, end, ok := s.quoted(from)
			if !ok {
				start, end = from, s.run(from, func(c byte) bool { return c > ' ' })
			}
			value := s.text[start:end]
			if strings.HasSuffix(option, "p") {
				if s.plausible(value) {
					s.mark(start, end, value, true)
				}
				return end
			}
			if name, password, ok := strings.Cut(value, ":"); ok && len(password) >= 3 {
				s.mark(start+len(name)+1, end, password, true)
			}
			return end
		})
	}
}

const maxURL = 1 << 10 // octets of a URL that are looked at

// addresses finds passwords in front of the host of a URL, and in name:password
// as postfix has them.
func (s *scan) addresses() {
	s.every("://", func(at int) int {
		start := at + len("://")
		near := part(s.text, start, maxURL)
		if i := strings.IndexFunc(near, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'<>`", r) }); i >= 0 {
			near = near[:i]
		}
		s.userinfo(start, start+len(near))
		return start + len(near)
	})
	for from := 0; ; {
		i := strings.IndexByte(s.text[from:], '@')
		if i < 0 {
			return
		}
		at := from + i
		from = at + 1
		if near := part(s.text, at+1, 260); hostBehind().MatchString(near) {
			s.bareUserinfo(at)
		} else if m := passwordBehind().FindStringSubmatchIndex(near); m != nil && !port().MatchString(near[m[2]:m[3]]) {
			s.mark(at+1+m[2], at+1+m[3], near[m[2]:m[3]], false)
		}
	}
}

// userinfo looks at what stands behind the "//" of a URL. A password should be
// URL-encoded and often is not: it ends at the last "@" of the authority, or of
// the whole when that has none.
func (s *scan) userinfo(start, end int) {
	all := s.text[start:end]
	authority := all
	if i := strings.IndexAny(all, "/?#"); i >= 0 {
		authority = all[:i]
	}
	for _, at := range []int{strings.LastIndexByte(authority, '@'), strings.LastIndexByte(all, '@')} {
		name, password, ok := strings.Cut(all[:max(at, 0)], ":")
		if ok && hostStart().MatchString(all[at+1:]) && password != "" && !port().MatchString(password) {
			s.mark(start+len(name)+1, start+at, password, true)
			return
		}
	}
}

var (
	hostStart = lazyregexp.New(`(?i)^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)+|localhost|\[[0-9a-f:.]+\])(?:[^a-z0-9@]|$)`)
	port      = lazyregexp.New(`^\d{1,5}(?:[/?#]|$)`)
	// hostBehind is a host with a port, or one that serves mail.
	hostBehind = lazyregexp.New(`(?i)^(?:\[?[a-z0-9-]+(?:\.[a-z0-9-]+)+\]?:\d{2,5}|(?:smtp|mail|mx|outlook|imap|relay)[a-z0-9-]*(?:\.[a-z0-9-]+)+)(?:[^a-z0-9.@-]|$)`)
	// label is a word before a colon that is no name of a user.
	label = lazyregexp.New(`(?i)(?:^|[^a-z])(?:mailto|from|to|cc|bcc|user|username|sender|rcpt|recipient|mailbox|sip|email|e-mail|login|by|for|as|id|address|account|identity|https?|smtps?|file|trustee)$`)
	// passwordBehind is a password behind an address, as postfix has them.
	passwordBehind = lazyregexp.New(`(?i)^[a-z0-9-]+(?:\.[a-z0-9-]+)+:([^\s/:]\S{3,})`)
)

// bareUserinfo looks at name:password in front of the "@" at at, which a host
// follows.
func (s *scan) bareUserinfo(at int) {
	start := at
	for start > 0 && at-start < 200 && s.text[start-1] > ' ' && strings.IndexByte("\"'<>`", s.text[start-1]) < 0 {
		start--
	}
	all := s.text[start:at]
	if strings.Contains(all, "://") {
		return
	}
	name, password, ok := strings.Cut(all, ":")
	if !ok || len(password) < 3 || label().MatchString(name) || port().MatchString(password) {
		return
	}
	s.mark(start+len(name)+1, at, password, true)
}
