package lazy_test

import (
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/lazy"
)

func TestMakesOnceForAllWhoAsk(t *testing.T) {
	made := 0
	v := &lazy.Value[[]int]{Make: func() []int { made++; return []int{made} }}
	if made != 0 {
		t.Error("made before its use")
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if v.Get()[0] != 1 {
				t.Error("made twice")
			}
		})
	}
	wg.Wait()
}
