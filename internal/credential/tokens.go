package credential

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// headers are how a JSON object begins in base64: the header of a JWT.
var headers = []string{"eyJ", "eyAi", "ewog", "ewoJ", "ew0K"}

// webTokens finds JSON Web Tokens and encrypted ones (RFC 7519, RFC 7516), also
// when they are cut off.
func (s *scan) webTokens() {
	for _, header := range headers {
		for from := 0; ; {
			i := strings.Index(s.text[from:], header)
			if i < 0 {
				break
			}
			start := from + i
			pieces := s.wrapped(start, ofJWT)
			from = pieces[len(pieces)-1].end
			if token := strings.TrimRight(s.value(pieces), "."); isJWT(token) {
				s.f.addToken(token)
				s.mark(start, from, token, true)
			}
		}
	}
}

// isJWT reports whether token is a JWT by its form, or the beginning of one.
func isJWT(token string) bool {
	header, rest, whole := strings.Cut(token, ".")
	if whole {
		payload, _, _ := strings.Cut(rest, ".")
		return len(header) >= 8 && len(payload) >= 8
	}
	said, ok := decoded(header[:min(len(header), 600)])
	return ok && jwtMembers().MatchString(said)
}

var jwtMembers = lazyregexp.New(`"(?:alg|typ|kid|x5t|enc)"\s*:`)

// decoded is what base64 of either alphabet stands for, without what is left
// over at its end.
func decoded(run string) (string, bool) {
	run = toStandard.Replace(strings.TrimRight(run, "="))
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	data, err := base64.RawStdEncoding.DecodeString(run)
	return string(data), err == nil
}

var toStandard = strings.NewReplacer("-", "+", "_", "/")

// marks are how credentials of well known services begin, each with the octets
// that follow it at least.
var marks = []struct {
	begin string
	rest  int
}{
	{"sk-", 16}, {"sk_live_", 12}, {"sk_test_", 12}, {"rk_live_", 12}, {"ghp_", 16}, {"gho_", 16}, {"ghu_", 16}, {"ghs_", 16}, {"ghr_", 16},
	{"github_pat_", 16}, {"glpat-", 12}, {"xoxb-", 12}, {"xoxp-", 12}, {"xoxa-", 12}, {"xapp-", 12}, {"SG.", 20}, {"AKIA", 12}, {"ASIA", 12},
	{"AIza", 24}, {"key-", 24}, {"xkeysib-", 20}, {"npm_", 20}, {"hf_", 20}, {"0.A", 40}, {"1.A", 40}, {"M.C", 40}, {"M.R", 40},
}

// shapes finds what is a credential by its form alone: client secrets of Entra
// ID, its refresh tokens and codes, keys of well known services, private keys.
func (s *scan) shapes() {
	for from := 0; ; { // abc8Q~, then 34 octets
		i := strings.Index(s.text[from:], "Q~")
		if i < 0 {
			break
		}
		at := from + i
		from = at + 2
		if at < 4 || digits(s.text[at-1:at]) == 0 || s.run(at-4, ofSecret) < from {
			continue
		}
		pieces := s.wrapped(at-4, ofSecret)
		if value := s.value(pieces); len(value) >= 14 {
			from = pieces[len(pieces)-1].end
			s.mark(at-4, from, value, true)
		}
	}
	for _, m := range marks {
		for from := 0; ; {
			i := strings.Index(s.text[from:], m.begin)
			if i < 0 {
				break
			}
			start := from + i
			from = start + len(m.begin)
			if start > 0 && (alnum(s.text[start-1]) || s.text[start-1] == '.') {
				continue
			}
			pieces := s.wrapped(start, ofShape)
			from = pieces[len(pieces)-1].end
			if value := strings.TrimRight(s.value(pieces), "."); len(value) >= len(m.begin)+m.rest && (digits(value) > 1 || random(value)) {
				s.mark(start, from, value, true)
			}
		}
	}
	for from := 0; ; {
		m := privateKey().FindStringIndex(s.text[from:])
		if m == nil {
			break
		}
		s.mark(from+m[0], from+m[1], s.text[from+m[0]:from+m[1]], true)
		from += m[1]
	}
}

// random reports a long text whose letters change their case more often than
// words do.
func random(text string) bool {
	changes := 0
	for i := 1; i < len(text); i++ {
		if a, b := text[i-1], text[i]; a >= 'a' && a <= 'z' && b >= 'A' && b <= 'Z' {
			changes++
		}
	}
	return len(text) >= 24 && changes*8 >= len(text)
}

func ofSecret(c byte) bool { return ofJWT(c) || c == '~' }

func ofShape(c byte) bool { return ofJWT(c) || c == '!' || c == '*' || c == '$' }

var privateKey = lazyregexp.New(`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?`)

// mechanisms are the words behind AUTH that are no response: servers list them.
var mechanisms = map[string]bool{
	"login": true, "plain": true, "xoauth2": true, "oauthbearer": true, "ntlm": true, "gssapi": true, "cram-md5": true, "digest-md5": true,
	"scram-sha-1": true, "scram-sha-256": true, "xoauth": true, "anonymous": true, "external": true, "xaolbearer": true,
}

// response is AUTH (SMTP) or AUTHENTICATE (IMAP) with a mechanism and an initial
// response, in small letters.
var response = lazyregexp.New(`^auth(?:enticate)?(?:[ \t+]|%20)+"?([a-z][a-z0-9-]{2,19})"?(?:[ \t+]|%20)+"?`)

// responses finds SASL responses: behind their verb, and by how those with a
// token begin.
func (s *scan) responses() {
	s.every("auth", func(at int) int {
		if next := part(s.low, at+len("auth"), 1); strings.Trim(next, " \t+%e") != "" {
			return 0
		}
		m := response().FindStringSubmatch(part(s.low, at, 80))
		if m == nil || !mechanisms[m[1]] {
			return 0
		}
		pieces := s.wrapped(at+len(m[0]), ofBase64)
		blob := s.value(pieces)
		if len(blob) >= 4 && !mechanisms[strings.ToLower(blob)] && (isResponse(blob) || mixed(blob, 12)) {
			s.blob(pieces, blob, m[1] != "login")
		}
		return pieces[len(pieces)-1].end
	})
	for _, begin := range []string{"dXNlcj", "bixhPQ", "bixhPW"} { // "user=", "n,a="
		for from := 0; ; {
			i := strings.Index(s.text[from:], begin)
			if i < 0 {
				break
			}
			pieces := s.wrapped(from+i, ofBase64)
			from = pieces[len(pieces)-1].end
			if blob := s.value(pieces); len(blob) >= 14 {
				s.blob(pieces, blob, true)
			}
		}
	}
}

// isResponse reports whether blob is base64 of what a SASL response may be.
func isResponse(blob string) bool {
	text, ok := decoded(blob)
	return ok && len(blob)%4 != 1 && utf8.ValidString(text) && printable(text)
}

// blob marks a SASL response, and what it holds. That of LOGIN alone is a name.
func (s *scan) blob(pieces []region, blob string, holds bool) {
	s.mark(pieces[0].start, pieces[len(pieces)-1].end, blob, true)
	for _, p := range pieces {
		s.f.add(s.text[p.start:p.end], true)
	}
	if text, ok := decoded(blob); ok && holds {
		s.inResponse(text)
	}
}

// inResponse remembers the token or the password of a SASL response, and
// reports whether text is one.
func (s *scan) inResponse(text string) bool {
	if _, after, ok := strings.Cut(text, "\x01auth="); ok {
		scheme, token, ok := strings.Cut(strings.TrimRight(after, "\x01"), " ")
		if !ok {
			token = scheme
		}
		if s.f.add(token, true); isJWT(token) {
			s.f.addToken(token)
		}
		return true
	}
	if parts := strings.Split(text, "\x00"); len(parts) == 3 && parts[1] != "" && parts[2] != "" {
		s.f.add(parts[2], true)
		return true
	}
	return false
}

// scheme is what stands between a scheme of HTTP and its credential.
var scheme = lazyregexp.New(`^(?:bearer|basic)(?:[ \t+]|%20|["':=\\]|&#34;|&quot;)+`)

// schemes finds what follows Bearer and Basic, in a header or in words.
func (s *scan) schemes() {
	s.every("bearer", func(at int) int {
		first := len(scheme().FindString(part(s.low, at, 40)))
		if first == 0 {
			return 0
		}
		pieces := s.wrapped(at+first, ofToken)
		token := strings.TrimRight(s.value(pieces), ".")
		if len(token) >= 20 || len(token) >= 8 && digits(token) > 1 {
			s.mark(pieces[0].start, pieces[len(pieces)-1].end, token, true)
		}
		return pieces[len(pieces)-1].end
	})
	s.every("basic", func(at int) int {
		first := len(scheme().FindString(part(s.low, at, 40)))
		if first == 0 {
			return 0
		}
		pieces := s.wrapped(at+first, ofBase64)
		blob := s.value(pieces)
		if text, ok := decoded(blob); ok && printable(text) {
			if _, password, ok := strings.Cut(text, ":"); ok {
				s.blob(pieces, blob, false)
				s.f.add(password, true)
			}
		}
		return pieces[len(pieces)-1].end
	})
}

// likely finds long runs of letters and digits that are no words, names of
// hosts, ids or numbers, and what may be base64. Errors hold few of those that
// are no credentials.
func (s *scan) likely() {
	s.runs(ofLikely, 32)
	s.runs(ofBase64, 40)
}

// runs finds the runs of at least n octets that are all is.
func (s *scan) runs(is func(byte) bool, n int) {
	for i := 0; i < len(s.text); i++ {
		if !is(s.text[i]) {
			continue
		}
		end := s.run(i, is)
		run := s.text[i:end]
		words := (strings.Count(run, "/") + strings.Count(run, "-")) * 12
		if mixed(run, n) && digits(run) >= 4 && words < len(run) && !isGUIDs(run) {
			if text, ok := decoded(run); !ok || !printable(text) {
				s.mark(i, end, run, false)
			}
		}
		i = end
	}
}

func ofLikely(c byte) bool { return alnum(c) || c == '-' || c == '_' }

// isGUIDs reports a run of hexadecimal digits and hyphens.
func isGUIDs(run string) bool {
	return strings.Trim(strings.ToLower(run), "0123456789abcdef-") == ""
}
