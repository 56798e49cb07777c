package paste

import (
	"strconv"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

var (
	httpStatus = lazyregexp.New(`(?i)status(?:[ _]?code)?["']?\W{0,4}(4\d\d|5\d\d)\b|\b(4\d\d|5\d\d)\b[^\n0-9a-z]{1,3}(?:client error|server error|bad request|unauthorized|forbidden|not found|too many requests|internal server error|bad gateway|service unavailable|gateway time-?out)`)
)

const maxStatusLines = 200

// statusHits are the answers of the token endpoint of which a program prints
// the HTTP status and the URL, and nothing of what the endpoint said.
func (p *paste) statusHits() []hit {
	for _, m := range exchange.TokenHosts(p.src.text, maxStatusLines) {
		line := p.src.line(m[0])
		s := httpStatus.Get().FindStringSubmatchIndex(p.src.text[line.start:line.end])
		if s == nil {
			continue
		}
		at := region{line.start + s[0], line.start + s[1]}
		digits := s[2:4]
		if digits[0] < 0 {
			digits = s[4:6]
		}
		status, _ := strconv.Atoi(p.src.text[line.start+digits[0] : line.start+digits[1]])
		if status == 407 { // the proxy's
			continue
		}
		e, score := diagnosis.Match(diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: status})
		if score == 0 {
			e = diagnosis.Unknown(diagnosis.Symptom{HTTPStatus: status})
		}
		return []hit{{entry: e, at: at, score: diagnosis.Ordinary, words: []string{p.src.quote(at, e)}}}
	}
	return nil
}
