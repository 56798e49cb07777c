package smtpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// bdat is RFC 3030 2. The first BDAT of a transaction starts the session's
// Content; the reader that it gets takes in the chunks that follow.
func (c *conn) bdat(ctx context.Context, arg string) bool {
	size, last, ok := parseChunk(arg)
	if !ok {
		// The octets that follow cannot be told from commands.
		return c.wire.send(fixed(invalidArguments).ThenClose().breaking(CauseChunk))
	}
	refusal := Reply{Code: 354}
	switch {
	case c.tx == nil:
		refusal = c.refuse(needMail)
	case c.tx.recipients == 0:
		refusal = c.refuse(needRcpt)
	default:
		refusal = c.session.Data(ctx)
	}
	chunks := &chunkReader{c: c, left: size, last: last}
	if refusal.Code != 354 || refusal.ends() {
		return c.refuseChunk(chunks, refusal)
	}
	more := c.content(ctx, chunks)
	switch {
	case chunks.invalid:
		return c.wire.send(fixed(invalidArguments).ThenClose().breaking(CauseChunk))
	case chunks.verb != "":
		return c.dispatch(ctx, chunks.verb, chunks.arg)
	}
	return more
}

// refuseChunk answers a chunk that is not wanted, after its octets.
func (c *conn) refuseChunk(chunks *chunkReader, r Reply) bool {
	if !r.ends() {
		if err := chunks.discard(c.opts.MaxMessageBytes); err != nil {
			if errors.Is(err, errEndless) {
				return c.wire.send(fixed(tooLarge).ThenClose().breaking(CauseContentSize))
			}
			c.wire.endRead(err, true)
			return c.wire.lost(err)
		}
	}
	return c.wire.send(r)
}

func parseChunk(arg string) (size int64, last, ok bool) {
	number, word, hasWord := strings.Cut(arg, " ")
	n, err := strconv.ParseUint(number, 10, 62)
	if err != nil || (hasWord && !strings.EqualFold(word, "LAST")) {
		return 0, false, false
	}
	return int64(n), hasWord, true
}

// chunkReader reads the octets of all chunks of a transaction. Between them it
// answers the chunk before and reads the command that follows.
type chunkReader struct {
	c         *conn
	left      int64 // octets of this chunk that are not read yet
	taken     int64 // octets of it that are
	last      bool
	invalid   bool   // a BDAT that cannot be read gave the content up
	verb, arg string // the command that did
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for r.left == 0 {
		if r.last {
			return 0, io.EOF
		}
		if err := r.nextChunk(); err != nil {
			return 0, err
		}
	}
	n, err := r.c.wire.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	r.taken += int64(n)
	return n, noEOF(err, 1)
}

// nextChunk is the dialogue between two chunks.
func (r *chunkReader) nextChunk() error {
	said := Say(250, fmt.Sprintf("2.6.0 CHUNK received OK, %d octets", r.taken))
	for {
		if !r.c.wire.send(said) {
			return io.ErrUnexpectedEOF
		}
		line, err := r.c.wire.readLine(r.c.opts.MaxLine)
		if err != nil {
			return noEOF(err, 1)
		}
		verb, arg, _ := strings.Cut(line, " ")
		verb, arg = strings.ToUpper(verb), strings.TrimSpace(arg)
		if refusal := r.countOther(verb); refusal != "" {
			r.c.wire.send(fixed(refusal).breaking(CauseCommands))
			return io.ErrUnexpectedEOF
		}
		if isOdd := verb != "BDAT" && strings.ContainsFunc(line, isControl); isOdd {
			said = r.c.refuse(invalidArguments)
			continue
		}
		switch verb {
		case "BDAT":
			var ok bool
			if r.left, r.last, ok = parseChunk(arg); !ok {
				r.invalid = true
				return ErrAborted
			}
			r.taken = 0
			return nil
		case "NOOP":
			said = Say(250, "2.0.0 OK")
		case "RSET", "EHLO", "HELO", "QUIT":
			r.verb, r.arg = verb, arg
			return ErrAborted
		default:
			said = r.c.refuse(badSequence)
		}
	}
}

// countOther counts a command that is not a chunk: a large content has many chunks.
func (r *chunkReader) countOther(verb string) (refusal string) {
	if verb == "BDAT" {
		return ""
	}
	return r.c.countCommand()
}

// discard throws this chunk away.
func (r *chunkReader) discard(limit int64) error {
	if r.left > limit {
		return errEndless
	}
	_, err := io.CopyN(io.Discard, r.c.wire.r, r.left)
	r.left = 0
	return noEOF(err, 1)
}
