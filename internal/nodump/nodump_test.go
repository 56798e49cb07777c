package nodump_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/nodump"
)

func TestDisableMayBeCalledTwice(t *testing.T) {
	for range 2 {
		if err := nodump.Disable(); err != nil {
			t.Fatal(err)
		}
	}
}
