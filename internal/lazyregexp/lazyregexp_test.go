package lazyregexp_test

import (
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

func TestCompilesOnceForAllWhoAsk(t *testing.T) {
	word := lazyregexp.New(`^\w+$`)
	first := word.Get()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if word.Get() != first {
				t.Error("another expression")
			}
		})
	}
	wg.Wait()
	if !first.MatchString("word") || first.MatchString("two words") {
		t.Error("matches wrongly")
	}
}

func TestBadExpressionPanicsAtFirstUse(t *testing.T) {
	bad := lazyregexp.New(`(`)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	bad.Get()
}
