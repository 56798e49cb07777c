package paste

import (
	"slices"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// On a sign-in page the number is by itself, between ids whose labels are
// in the reader's language.
var (
	pageNumber = lazyregexp.New(`(?i)(?:error code|fehlercode|code d.erreur|c[óo]digo de error|c[óo]digo de erro|codice errore|foutcode|kod błędu|エラー ?コード|错误代码)\s?[:：]\s?(\d{5,8})\b`)
	pageSigns  = lazyregexp.New(`(?i)correlation id|korrelations-?id|id de corrélation|id\.? de correlaci[óo]n|id de correlação|id correlazione|correlatie-?id|identyfikator korelacji|関連付け ?id|相关性? ?id`)
)

// pageLabels are the words before the number, squeezed, to look for first.
var pageLabels = []string{"errorcode", "fehlercode", "codederreur", "digodeerr", "codiceerrore", "foutcode", "kodbdu"}

// pageNumbers are the numbers of the catalogue on a sign-in page.
func pageNumbers(text, letters string) []pastedNumber {
	labelled := func(l string) bool { return strings.Contains(letters, l) }
	if !slices.ContainsFunc(pageLabels, labelled) && !strings.Contains(text, "コード") && !strings.Contains(text, "错误代码") {
		return nil
	}
	var out []pastedNumber
	for _, m := range pageNumber.Get().FindAllStringSubmatchIndex(text, maxReplies) {
		n, err := strconv.Atoi(text[m[2]:m[3]])
		if err == nil && diagnosis.KnownNumber(n) && pageSigns.Get().MatchString(text[max(0, m[0]-1000):min(len(text), m[1]+1000)]) {
			out = append(out, pastedNumber{m[0], m[1], n})
		}
	}
	return out
}
