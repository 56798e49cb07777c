package paste

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// pastedReply is a reply code, an enhanced status code or both, as found in a text.
type pastedReply struct {
	start, end int
	code       int    // 0 when the tool has taken it away
	enhanced   string // "" when there is none
	credible   bool   // an enhanced code without reply code that looks like one
	led        bool   // and the words before it speak of a reply
}

// pastedNumber is a number of the token endpoint.
type pastedNumber struct{ start, end, number int }

const maxReplies = 400

// What is between a reply code and its enhanced code: tools write "535 5.7.3",
// "535: 5.7.3", "(535, b'5.7.3", "535-5.7.3", "smtp;535 5.7.3", "code 535, 5.7.3".
var (
	enhancedHere = lazyregexp.New(`^[245]\.\d{1,3}\.\d{1,3}`)
	codeBefore   = lazyregexp.New(`([2-5][0-5]\d)(?:[^0-9A-Za-z\n.]{1,6}b?['"]?[ #]*|[ \t]*\n[ \t>]*)$`)
	// beforeCode is the start of a line, or "said:" and the like.
	beforeCode = lazyregexp.New(`(?i)(?:^|\n[ \t>]*|said: |response: |response was: |reply: |returned: |server: |failed: |error: |login: |code[ =:]{1,3}|\(|"|')$`)
)

func findReplies(text string) []pastedReply {
	var out []pastedReply
	for i := 1; i < len(text) && len(out) < maxReplies; i++ {
		if text[i] != '.' || strings.IndexByte("245", text[i-1]) < 0 {
			continue
		}
		start := i - 1
		end := start + len(enhancedHere.Get().FindString(text[start:min(len(text), start+10)]))
		if end == start {
			continue
		}
		r := pastedReply{start: start, end: end, enhanced: text[start:end]}
		if m := codeBefore.Get().FindStringSubmatch(text[max(0, start-24):start]); m != nil {
			r.code, _ = strconv.Atoi(m[1])
			r.start -= len(m[0])
		}
		if boundary(text, r.start, r.end) && !passedOn(text, r.start, out) {
			if r.code == 0 {
				r.led = led(text, r.start)
				r.credible = r.led || beginsLine(text, r.start, r.end)
			}
			out = append(out, r)
		}
	}
	return withLoneCodes(text, out)
}

func (r pastedReply) region() region { return region{r.start, r.end} }

// threeDigits reports whether the enhanced code has a detail of three digits.
// Only Microsoft gives such.
func (r pastedReply) threeDigits() bool {
	return len(r.enhanced)-strings.LastIndexByte(r.enhanced, '.') > 3
}

// passedOn reports whether a reply at this place is quoted within the reply
// before it: "550 5.4.300 Message expired -> 421 4.4.2 Connection dropped",
// "450 4.4.317 Cannot establish session [Message=451 5.7.3 STARTTLS is required]".
func passedOn(text string, start int, before []pastedReply) bool {
	lead := strings.TrimRight(text[max(0, start-12):start], `'" `)
	quoted := strings.HasSuffix(lead, "->") || strings.HasSuffix(lead, "[Message=")
	if len(before) == 0 || !quoted {
		return false
	}
	b := before[len(before)-1]
	return b.enhanced != "" && !strings.Contains(text[b.end:start], "\n")
}

// withLoneCodes adds the reply codes that have no enhanced code.
func withLoneCodes(text string, out []pastedReply) []pastedReply {
	left, looks := maxReplies, 20*maxReplies
	for i := 0; i+3 < len(text) && left > 0 && looks > 0; i++ {
		if !codeAt(text, i) {
			continue
		}
		looks--
		taken := func(r pastedReply) bool { return r.start <= i && i < r.end }
		led := beforeCode.Get().MatchString(text[max(0, i-20):i]) || strings.HasPrefix(strings.ToLower(text[i+4:min(len(text), i+8)]), "auth")
		if led && !slices.ContainsFunc(out, taken) {
			code, _ := strconv.Atoi(text[i : i+3])
			out = append(out, pastedReply{start: i, end: i + 3, code: code})
			left--
		}
	}
	slices.SortFunc(out, func(a, b pastedReply) int { return a.start - b.start })
	return out
}

// codeAt reports whether a 4yz or 5yz reply code, by itself, is at i, which is not among
// the last three octets.
func codeAt(text string, i int) bool {
	if text[i] != '4' && text[i] != '5' {
		return false
	}
	begins := i == 0 || !letterOrDigit(text[i-1])
	ends := strings.IndexByte(" -:,", text[i+3]) >= 0
	return begins && ends && digit(text[i+1]) && digit(text[i+2])
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// boundary refuses what is part of a longer number: an address, a version.
func boundary(text string, start, end int) bool {
	if start > 0 && continuesWord(text[start-1]) {
		return false
	}
	rest := text[end:]
	switch {
	case rest == "":
		return true
	case digit(rest[0]), rest[0] == '_':
		return false
	case rest[0] == '-':
		return len(rest) == 1 || rest[1] == ' '
	case rest[0] == '.':
		return len(rest) == 1 || !digit(rest[1])
	}
	return true
}

// continuesWord reports an octet before a number that makes it a part of something longer.
func continuesWord(c byte) bool { return letterOrDigit(c) || strings.IndexByte("._@/", c) >= 0 }

var (
	speaksOfReply = lazyregexp.New(`(?i)(?:said|response(?: was)?|respuesta(?: fue)?|r[ée]ponse|antwort(?: war| lautete)?|error|errore|fehler|erreur|code|status|returned|reply|replied|smtp;|unsuccessful|credentials|exception|server|serveur|servidor|diagnostic-code|refused|rejected|login|failed)['"]?[ \t:=>#(\[-]*(?:is|was|:)?[ \t:]*['"]?(?:host \S+ )?$|(?:^|[^#])#$`)
	speaksOfBuild = lazyregexp.New(`(?i)(?:version|ver|v|release|build|upgrade|upgraded|mysql|php|node|npm|mariadb|nodemailer|phpmailer|library|package|module|kernel|firmware|driver)[ \t:="'/@(-]*$`)
)

// led reports whether the words before an enhanced code without reply code
// speak of a reply, and not of the version of something.
func led(text string, start int) bool {
	before := text[max(0, start-60):start]
	return !speaksOfBuild.Get().MatchString(before) && speaksOfReply.Get().MatchString(before)
}

// beginsLine reports whether the code begins a line and words follow it: what
// System.Net.Mail and others quote.
func beginsLine(text string, start, end int) bool {
	if speaksOfBuild.Get().MatchString(text[max(0, start-60):start]) {
		return false
	}
	if strings.TrimSpace(text[strings.LastIndexByte(text[:start], '\n')+1:start]) != "" {
		return false
	}
	rest := strings.TrimLeft(text[end:min(len(text), end+40)], " ")
	aWord := len(rest) > 3 && letterOrDigit(rest[0]) && !digit(rest[0])
	return rest == "" || aWord
}

var (
	errorCodes = lazyregexp.New(`(?i)error_?codes?["']?\s*[:=]\s*\[\s*(\d{4,10})`)
	errorURI   = lazyregexp.New(`(?i)login\.microsoftonline\.com/error\?code=(\d{4,10})`)
	msalErrors = lazyregexp.New(`(?i)error\(s\):\s*(\d{4,10}) - Timestamp:`) // MSAL for JavaScript
	signInCode = lazyregexp.New(`(?i)sign-?in error code\W{1,8}(\d{5,10})`)
)

// findNumbers finds AADSTS numbers, also where the word or the number was
// wrapped, and the other forms in which the endpoint names them.
func findNumbers(text string, whole view) []pastedNumber {
	var out []pastedNumber
	letters := string(whole.letters)
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > 9999 && diagnosis.KnownNumber(n) {
		return []pastedNumber{{0, len(text), n}}
	}
	for from := 0; len(out) < maxReplies; {
		i := strings.Index(letters[from:], "aadsts")
		if i < 0 {
			break
		}
		i += from
		from = i + len("aadsts")
		if n, end := whole.number(text, from); n > 0 {
			out = append(out, pastedNumber{int(whole.at[i]), end, n})
		}
	}
	if len(out) == 0 {
		out = pageNumbers(text, letters)
	}
	otherForm := strings.Contains(letters, "errorcode") || strings.Contains(letters, "timestamp")
	if len(out) > 0 || !otherForm {
		return out
	}
	for _, re := range []*regexp.Regexp{errorCodes.Get(), errorURI.Get(), msalErrors.Get(), signInCode.Get()} {
		for _, m := range re.FindAllStringSubmatchIndex(text, maxReplies) {
			if n, err := strconv.Atoi(text[m[2]:m[3]]); err == nil {
				out = append(out, pastedNumber{m[0], m[1], n})
			}
		}
	}
	return out
}

// aLineEnd reports whether what is between two digits is a line end, with the blanks and
// quotation marks that a tool puts around it.
func aLineEnd(gap string) bool {
	return len(gap) < 12 && strings.Contains(gap, "\n") && !strings.Contains(gap, ":")
}

// number reads the digits at letter i. Digits after a line end belong to it
// when the number is in the catalogue with them.
func (v view) number(text string, i int) (n, end int) {
	var digits, wrapped string
	var wrappedEnd int
	for ; i < len(v.letters) && len(digits)+len(wrapped) < 10; i++ {
		c, at := v.letters[i], int(v.at[i])
		if c < '0' || c > '9' {
			break
		}
		gap := text[int(v.at[i-1])+1 : at]
		switch {
		case digits == "" && len(gap) < 4, gap == "" && wrapped == "":
			digits, end = digits+string(c), at+1
		case gap == "", wrapped == "" && aLineEnd(gap):
			wrapped, wrappedEnd = wrapped+string(c), at+1
		default:
			i = len(v.letters)
		}
	}
	if n, err := strconv.Atoi(digits + wrapped); err == nil && wrapped != "" && diagnosis.KnownNumber(n) {
		return n, wrappedEnd
	}
	if len(digits) < 4 {
		return 0, 0
	}
	n, _ = strconv.Atoi(digits)
	return n, end
}
