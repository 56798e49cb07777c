package message

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/sevenbit"
)

// reencode finds what of the message has to be written in another way, or refuses
// what no server would take.
func (r *Raw) reencode(ctx context.Context, seen *lineNormaliser) error {
	r.plan.EightBit = seen.eightBit
	bad := seen.nul.line > 0 || seen.long.line > 0
	switch {
	case r.how == ReencodeNever && bad:
		return seen.fault()
	case r.how == ReencodeNever, !bad && (r.how == ReencodeLong || !seen.eightBit):
		return nil
	}
	m := sevenbit.Message{Octets: r.spool, Size: r.spool.n, Body: r.body, Blank: r.hasBlank}
	for _, f := range r.fields {
		m.Fields = append(m.Fields, sevenbit.Field{Name: f.name, From: f.from, To: f.to})
	}
	plan, err := sevenbit.Make(ctx, m, sevenbit.Options{EightBit: r.how != ReencodeLong})
	if refusal, ok := errors.AsType[*sevenbit.Refusal](err); ok {
		return r.refused(refusal)
	}
	r.plan = plan
	return err
}

// fault is what is wrong with a message that must stay as it is.
func (l *lineNormaliser) fault() error {
	const advice = "; SMTPSEND_REENCODE=always puts it into quoted-printable"
	if l.nul.line > 0 {
		return &FieldError{"message", "", fmt.Sprintf("NUL at octet %d of line %d", l.nul.octets, l.nul.line) + advice}
	}
	return &FieldError{"message", "", fmt.Sprintf("line %d has %d octets, at most %d (RFC 5322 2.1.1)", l.long.line, l.long.octets, maxLine) + advice}
}

// refused says on which line of the message there is what cannot be re-encoded.
func (r *Raw) refused(refusal *sevenbit.Refusal) error {
	if refusal.Offset < 0 {
		return &FieldError{"message", "", refusal.Error()}
	}
	line := int64(1)
	buf := make([]byte, 32<<10)
	for off := int64(0); off < refusal.Offset; {
		n, err := r.spool.ReadAt(buf[:min(int64(len(buf)), refusal.Offset-off)], off)
		if n == 0 {
			return fmt.Errorf("reading the message: %w", err)
		}
		line += int64(bytes.Count(buf[:n], []byte("\n")))
		off += int64(n)
	}
	return &FieldError{"message", "", fmt.Sprintf("line %d has %s", line, refusal.Error())}
}

// reencoded is a segment that puts a run of the message into another encoding.
type reencoded struct{ sevenbit.Segment }

func (s reencoded) size() int64 { return s.Size() }

func (s reencoded) write(w io.Writer) error { return s.Write(w) }
