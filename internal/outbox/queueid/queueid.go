// Package queueid has the names of messages as people and "250 2.0.0 queued as ..."
// say them: the tag of the outbox, a hyphen, the number of the message. A name is
// never used again. Its functions keep no state.
package queueid

import (
	"crypto/rand"
	"strings"
)

// ID is the queue id of a message, such as "k7m-1f".
type ID string

// Tag is the first part of every ID of one outbox. It tells the messages of one
// outbox from those of another, also in logs that outlive a deleted one.
type Tag string

// digits are those of Crockford's base 32, without letters that look like
// digits.
const digits = "0123456789abcdefghjkmnpqrstvwxyz"

// NewTag is a random tag of three letters.
func NewTag() Tag {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = digits[b[i]%32]
	}
	return Tag(b[:])
}

// ID is the name of message n, which is positive.
func (t Tag) ID(n int64) ID {
	var b [13]byte
	i := len(b)
	for {
		i--
		b[i] = digits[n%32]
		if n /= 32; n == 0 {
			return ID(string(t) + "-" + string(b[i:]))
		}
	}
}

// Number is the reverse of ID, in either case of letters. It is not ok when id names
// no message that this outbox can have.
func (t Tag) Number(id ID) (n int64, ok bool) {
	tag, text, _ := strings.Cut(strings.ToLower(string(id)), "-")
	if tag != string(t) || text == "" || len(text) > 12 {
		return 0, false
	}
	for _, c := range text {
		digit := strings.IndexRune(digits, c)
		if digit < 0 {
			return 0, false
		}
		n = n*32 + int64(digit)
	}
	return n, true
}
