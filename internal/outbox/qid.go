package outbox

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// QID names a message to people and in "250 2.0.0 queued as ...": the tag of the
// outbox, a hyphen, the number of the message. It is never used again.
type QID string

// digits are those of Crockford's base 32, without letters that look like
// digits.
const digits = "0123456789abcdefghjkmnpqrstvwxyz"

func (ob *Outbox) qid(id int64) QID {
	var b [13]byte
	i := len(b)
	for {
		i--
		b[i] = digits[id%32]
		if id /= 32; id == 0 {
			return QID(ob.tag + "-" + string(b[i:]))
		}
	}
}

// id is the reverse of qid. Its error wraps store.ErrNotFound.
func (ob *Outbox) id(q QID) (int64, error) {
	tag, text, _ := strings.Cut(strings.ToLower(string(q)), "-")
	if tag != ob.tag || text == "" || len(text) > 12 {
		return 0, fmt.Errorf("%w: %.40q", store.ErrNotFound, string(q))
	}
	var id int64
	for _, c := range text {
		n := strings.IndexRune(digits, c)
		if n < 0 {
			return 0, fmt.Errorf("%w: %.40q", store.ErrNotFound, string(q))
		}
		id = id*32 + int64(n)
	}
	return id, nil
}
