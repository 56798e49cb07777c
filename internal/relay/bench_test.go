package relay_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkTake takes messages of 2 KB from 10 clients.
func BenchmarkTake(b *testing.B) {
	l := newLab(b, local(anyone), with{})
	text := "From: a@contoso.example\r\nSubject: x\r\nDate: Mon, 30 Nov 2026 12:00:00 +0000\r\nMessage-ID: <x@y>\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 28) + ".\r\n"
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			c := l.dial(localhost).dialogue(hello)
			for left.Add(-1) >= 0 {
				c.dialogue("C: MAIL FROM:<a@contoso.example>\nS: 250\nC: RCPT TO:<b@contoso.example>\nS: 250\nC: DATA\nS: 354\n")
				c.write(text)
				c.reply()
			}
		})
	}
	all.Wait()
}
