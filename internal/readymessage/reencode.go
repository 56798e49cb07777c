package readymessage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/sevenbit"
)

// ErrReencodeNever is the reason of a *badinput.FieldError about a message that no
// server takes as it is and that Options.Reencode forbids to re-encode.
var ErrReencodeNever = errors.New("it must not be re-encoded")

// reencode finds what of the message has to be written in another way, or refuses
// what no server would take.
func (msg *Message) reencode(ctx context.Context, seen *lineNormaliser) error {
	msg.plan.EightBit = seen.eightBit
	bad := seen.nul.line > 0 || seen.long.line > 0
	switch {
	case msg.how == ReencodeNever && bad:
		return seen.fault()
	case msg.how == ReencodeNever, !bad && (msg.how == ReencodeLong || !seen.eightBit):
		return nil
	}
	m := sevenbit.Message{Octets: msg.spool, Size: msg.spool.n, Body: msg.body, Blank: msg.hasBlank}
	for _, f := range msg.fields {
		m.Fields = append(m.Fields, sevenbit.Field{Name: f.name, From: f.from, To: f.to})
	}
	plan, err := sevenbit.Make(ctx, m, sevenbit.Options{EightBit: msg.how != ReencodeLong})
	if refusal, ok := errors.AsType[*sevenbit.Refusal](err); ok {
		return msg.refused(refusal)
	}
	msg.plan = plan
	return err
}

// fault is what is wrong with a message that must stay as it is.
func (l *lineNormaliser) fault() error {
	reason := fmt.Sprintf("line %d has %d octets, at most %d (RFC 5322 2.1.1)", l.long.line, l.long.octets, limits.Line)
	if l.nul.line > 0 {
		reason = fmt.Sprintf("NUL at octet %d of line %d", l.nul.octets, l.nul.line)
	}
	return &badinput.FieldError{Field: "message", Reason: reason, Err: ErrReencodeNever}
}

// refused says on which line of the message there is what cannot be re-encoded.
func (msg *Message) refused(refusal *sevenbit.Refusal) error {
	if refusal.Offset < 0 {
		return badinput.Field("message", "", refusal.Error())
	}
	line := int64(1)
	buf := make([]byte, 32<<10)
	for off := int64(0); off < refusal.Offset; {
		n, err := msg.spool.ReadAt(buf[:min(int64(len(buf)), refusal.Offset-off)], off)
		if n == 0 {
			return fmt.Errorf("reading the message: %w", err)
		}
		line += int64(bytes.Count(buf[:n], []byte("\n")))
		off += int64(n)
	}
	return badinput.Field("message", "", fmt.Sprintf("line %d has %s", line, refusal.Error()))
}
