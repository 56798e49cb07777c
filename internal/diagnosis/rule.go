package diagnosis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// rule is one way to recognise an entry. All that it names must hold; the rule
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
//	pasted         in pasted text alone
//	generic        gives way to every rule that is not; in pasted text its words
//	               count only where mail is spoken of
type rule struct {
	words    []string // squeezed
	code     int
	enhanced string
	upTo     int // last detail of a range such as 4.7.500-699, else 0
	aadsts   int
	http     int
	oauth    string
	stage    smtp.Stage
	claim    string
	weak     bool
	network  bool
	solid    bool // its one phrase is a name without blanks ("ENOTFOUND")
	pasted   bool
	generic  bool
}

var (
	ruleToken     = lazyregexp.New(`"[^"]*"|\S+`)
	enhancedShape = lazyregexp.New(`^([245]\.\d{1,3}\.\d{1,3})(?:-(\d{1,3}))?$`)
	codeShape     = lazyregexp.New(`^[2-5]\d\d$`)
)

func parseRule(line string) (rule, error) {
	var r rule
	for _, t := range ruleToken.Get().FindAllString(line, -1) {
		if err := r.add(t); err != nil {
			return rule{}, err
		}
	}
	if r.specific()%ordinary == 0 {
		return rule{}, fmt.Errorf("rule %q recognises nothing", line)
	}
	return r, nil
}

func (r *rule) add(t string) (err error) {
	key, value, _ := strings.Cut(t, ":")
	switch {
	case t[0] == '"':
		w := squeeze(t)
		if w == "" {
			return fmt.Errorf("words %s hold no letter", t)
		}
		r.words = append(r.words, w)
		r.solid = len(r.words) == 1 && !strings.Contains(t, " ")
	case codeShape.Get().MatchString(t):
		r.code, err = strconv.Atoi(t)
	case enhancedShape.Get().MatchString(t):
		m := enhancedShape.Get().FindStringSubmatch(t)
		r.enhanced = m[1]
		if m[2] != "" {
			r.upTo, err = strconv.Atoi(m[2])
		}
	case strings.HasPrefix(t, "AADSTS"):
		r.aadsts, err = strconv.Atoi(t[len("AADSTS"):])
	case key == "http":
		r.http, err = strconv.Atoi(value)
	case key == "oauth":
		r.oauth = value
	case key == "stage":
		r.stage = smtp.Stage(value)
	case key == "claim":
		r.claim = value
		if !slices.Contains(conditions, value) {
			return fmt.Errorf("condition %q is not known", value)
		}
	case t == "weak":
		r.weak = true
	case t == "network":
		r.network, r.pasted = true, true
	case t == "pasted":
		r.pasted = true
	case t == "generic":
		r.generic = true
	default:
		return fmt.Errorf("word %q of a rule is not known", t)
	}
	return err
}

// ordinary is what a rule that is not generic counts more than one that is.
const ordinary = 10_000

// specific is how much the rule asks for: more letters, more certain.
func (r rule) specific() int {
	n := ordinary
	if r.generic {
		n = 0
	}
	for _, w := range r.words {
		n += len(w)
	}
	if r.code != 0 {
		n += 4
	}
	if r.enhanced != "" {
		n += 8
	}
	if r.aadsts != 0 {
		n += 1000 // a number of Entra says more than any words
	}
	if r.oauth != "" || r.http != 0 {
		n += 6
	}
	if r.claim != "" {
		n += 100
	}
	return n
}

// holds reports whether the rule fits the symptom, whose text is given squeezed.
func (r rule) holds(s Symptom, squeezed string) bool {
	switch {
	case r.pasted,
		r.code != 0 && r.code != s.Code,
		r.enhanced != "" && !r.hasEnhanced(s.Enhanced),
		r.aadsts != 0 && !slices.Contains(s.AADSTS, r.aadsts),
		r.http != 0 && r.http != s.HTTPStatus,
		r.oauth != "" && !strings.EqualFold(r.oauth, s.OAuthError),
		r.stage != "" && r.stage != s.Stage,
		r.claim != "" && !conditionHolds(r.claim, s.Claims):
		return false
	}
	for _, w := range r.words {
		if !strings.Contains(squeezed, w) {
			return false
		}
	}
	return true
}

// hasEnhanced compares an enhanced status code with the rule's code or range.
func (r rule) hasEnhanced(code string) bool {
	if r.upTo == 0 || code == r.enhanced {
		return code == r.enhanced
	}
	dot := strings.LastIndexByte(r.enhanced, '.')
	detail, ok := strings.CutPrefix(code, r.enhanced[:dot+1])
	first, err1 := strconv.Atoi(r.enhanced[dot+1:])
	n, err2 := strconv.Atoi(detail)
	return ok && err1 == nil && err2 == nil && first <= n && n <= r.upTo
}

// squeeze keeps the ASCII letters, in lower case, and digits of a text. Words
// are compared in this form because tools wrap, quote, escape and indent what a
// server said, and none of that touches letters and digits.
func squeeze(text string) string {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if c := squeezed(text[i]); c != 0 {
			b = append(b, c)
		}
	}
	return string(b)
}

// squeezed is one octet of squeeze, 0 for what is left out.
func squeezed(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return c
	}
	return 0
}
