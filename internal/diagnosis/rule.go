package diagnosis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Rule is one way to recognise an entry. All that it names must hold; the rule
// that names most wins. The words of a "match:" line are
//
//	"some words"   in the text, without regard to case, blanks and punctuation
//	535            SMTP reply code
//	5.7.139        enhanced status code, or a range such as 4.7.500-699
//	AADSTS7000215  number of the token endpoint
//	http:429       its HTTP status
//	oauth:NAME     its "error"
//	stage:auth     only at this stage, never in pasted text
//	claim:NAME     a condition on the token's claims (see conditions)
//	weak           in pasted text: only beside a sign of Exchange or Entra
//	network        in pasted text alone, as words that a program prints for a
//	               failure of the network, and only beside a host of Microsoft's
//	pasted         in pasted text alone, and in what our own relay said (Symptom.Relay)
//	generic        gives way to every rule that is not; in pasted text its words
//	               count only where mail is spoken of
type Rule struct {
	Words      []string // in the form of Squeeze
	Code       int
	Enhanced   string // the first of a range, of which HasEnhanced knows the last
	AADSTS     int
	HTTPStatus int
	OAuthError string
	Stage      smtp.Stage
	Claim      string
	Weak       bool
	Network    bool
	Solid      bool // its one phrase is a name without blanks ("ENOTFOUND")
	Pasted     bool
	Generic    bool

	upTo int // last detail of a range such as 4.7.500-699, else 0
}

var (
	ruleToken     = lazyregexp.New(`"[^"]*"|\S+`)
	enhancedShape = lazyregexp.New(`^([245]\.\d{1,3}\.\d{1,3})(?:-(\d{1,3}))?$`)
	codeShape     = lazyregexp.New(`^[2-5]\d\d$`)
)

func parseRule(line string) (Rule, error) {
	var r Rule
	for _, t := range ruleToken.Get().FindAllString(line, -1) {
		if err := r.add(t); err != nil {
			return Rule{}, err
		}
	}
	if r.Weight()%Ordinary == 0 {
		return Rule{}, fmt.Errorf("rule %q recognises nothing", line)
	}
	return r, nil
}

func (r *Rule) add(t string) (err error) {
	key, value, _ := strings.Cut(t, ":")
	switch {
	case t[0] == '"':
		w := Squeeze(t)
		if w == "" {
			return fmt.Errorf("words %s hold no letter", t)
		}
		r.Words = append(r.Words, w)
		r.Solid = len(r.Words) == 1 && !strings.Contains(t, " ")
	case codeShape.Get().MatchString(t):
		r.Code, err = strconv.Atoi(t)
	case enhancedShape.Get().MatchString(t):
		m := enhancedShape.Get().FindStringSubmatch(t)
		r.Enhanced = m[1]
		if m[2] != "" {
			r.upTo, err = strconv.Atoi(m[2])
		}
	case strings.HasPrefix(t, "AADSTS"):
		r.AADSTS, err = strconv.Atoi(t[len("AADSTS"):])
	case key == "http":
		r.HTTPStatus, err = strconv.Atoi(value)
	case key == "oauth":
		r.OAuthError = value
	case key == "stage":
		r.Stage = smtp.Stage(value)
	case key == "claim":
		r.Claim = value
		if !slices.Contains(conditions, value) {
			return fmt.Errorf("condition %q is not known", value)
		}
	case t == "weak":
		r.Weak = true
	case t == "network":
		r.Network, r.Pasted = true, true
	case t == "pasted":
		r.Pasted = true
	case t == "generic":
		r.Generic = true
	default:
		return fmt.Errorf("word %q of a rule is not known", t)
	}
	return err
}

// Ordinary is what a rule that is not generic weighs more than one that is.
const Ordinary = 10_000

// Weight is how much the rule asks for: more letters, more certain. It is Ordinary
// or more unless the rule is generic.
func (r Rule) Weight() int {
	n := Ordinary
	if r.Generic {
		n = 0
	}
	for _, w := range r.Words {
		n += len(w)
	}
	if r.Code != 0 {
		n += 4
	}
	if r.Enhanced != "" {
		n += 8
	}
	if r.AADSTS != 0 {
		n += 1000 // a number of Entra says more than any words
	}
	if r.OAuthError != "" || r.HTTPStatus != 0 {
		n += 6
	}
	if r.Claim != "" {
		n += 100
	}
	return n
}

// OfReply reports whether the rule asks for nothing but the codes and words of a reply.
func (r Rule) OfReply() bool {
	ofToken := r.AADSTS != 0 || r.HTTPStatus != 0 || r.OAuthError != "" || r.Claim != ""
	return !r.Network && !ofToken && r.Stage == ""
}

// holds reports whether the rule fits the symptom, whose text is given squeezed.
func (r Rule) holds(s Symptom, squeezed string) bool {
	switch {
	case r.Pasted && !s.Relay,
		r.Code != 0 && r.Code != s.Code,
		r.Enhanced != "" && !r.HasEnhanced(s.Enhanced),
		r.AADSTS != 0 && !slices.Contains(s.AADSTS, r.AADSTS),
		r.HTTPStatus != 0 && r.HTTPStatus != s.HTTPStatus,
		r.OAuthError != "" && !strings.EqualFold(r.OAuthError, s.OAuthError),
		r.Stage != "" && r.Stage != s.Stage,
		r.Claim != "" && !conditionHolds(r.Claim, s.Claims):
		return false
	}
	for _, w := range r.Words {
		if !strings.Contains(squeezed, w) {
			return false
		}
	}
	return true
}

// HasEnhanced compares an enhanced status code with the rule's code or range.
func (r Rule) HasEnhanced(code string) bool {
	if r.upTo == 0 || code == r.Enhanced {
		return code == r.Enhanced
	}
	dot := strings.LastIndexByte(r.Enhanced, '.')
	detail, ok := strings.CutPrefix(code, r.Enhanced[:dot+1])
	first, err1 := strconv.Atoi(r.Enhanced[dot+1:])
	n, err2 := strconv.Atoi(detail)
	return ok && err1 == nil && err2 == nil && first <= n && n <= r.upTo
}

// Squeeze keeps the ASCII letters, in lower case, and digits of a text. Words
// are compared in this form because tools wrap, quote, escape and indent what a
// server said, and none of that touches letters and digits.
func Squeeze(text string) string {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if c := SqueezeOctet(text[i]); c != 0 {
			b = append(b, c)
		}
	}
	return string(b)
}

// SqueezeOctet is one octet of Squeeze, 0 for what is left out.
func SqueezeOctet(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return c
	}
	return 0
}
