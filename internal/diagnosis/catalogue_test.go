package diagnosis_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

func TestEntriesLoad(t *testing.T) {
	for _, e := range diagnosis.Entries() {
		t.Log(e.Code, e.Class, len(e.Fixes))
	}
}
