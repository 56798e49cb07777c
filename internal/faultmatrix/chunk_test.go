//go:build unix

package faultmatrix_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// chunkCells are the cells in which MAIL, RCPT and the content come in one write.
func chunkCells() (all []cell) {
	for _, c := range cells() {
		group := c.pipelining && !c.empty334
		within := c.stage == mailFrom || c.stage == rcptTo
		ofChunk := c.stage == content && c.place == line
		ofReply := c.stage == dot && c.place >= before
		if group && (within || ofChunk || ofReply) {
			c.chunked = true
			all = append(all, c)
		}
	}
	return all
}

// The judge says what is wrong in any case: a message that is refused, deferred or
// not attempted, and stored; one that is accepted, and not stored; one that is in
// doubt, and stored twice. The table says what must come of it besides.
func TestMatrixOfChunks(t *testing.T) {
	noLeak(t)
	all := chunkCells()
	if len(all) < 190 {
		t.Errorf("%d cells, want at least 190", len(all))
	}
	var results results
	inParallel(all, func(c cell) {
		if strings.Contains(c.String(), *only) {
			results.add(runCell(c, 1))
		}
	})
	inParallel(thin(all), func(c cell) {
		if strings.Contains(c.String(), *only) {
			results.add(runCell(c, 3))
		}
	})
	results.report(t)
}

// allowedByChunk is allowed for a cell of chunks.
func (c cell) allowedByChunk() []smtp.Outcome {
	switch {
	case c.fault == slow:
		return []smtp.Outcome{smtp.Accepted}
	case c.place == before && c.fault.refusing():
		return c.refusal()
	case c.place == after && c.stage == dot:
		return []smtp.Outcome{smtp.Accepted, smtp.InDoubt}
	case c.fault == stray: // what is accepted is stored, says the judge
		return []smtp.Outcome{smtp.Accepted, smtp.InDoubt, smtp.NotAttempted}
	case c.fault.refusing():
		return append(c.refusal(), smtp.InDoubt, smtp.NotAttempted)
	case c.place == early || c.place == line: // seen before the write, or while it goes on
		return []smtp.Outcome{smtp.InDoubt, smtp.NotAttempted}
	}
	return []smtp.Outcome{smtp.InDoubt}
}
