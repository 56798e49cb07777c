package smtpsend_test

import (
	"os"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exampletest"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/sandboxtest"
)

func TestMain(m *testing.M) {
	_ = os.Setenv("SMTPSEND_ENV_FILE", os.DevNull) // not the settings of whoever runs the tests
	goleak.VerifyTestMain(m)
}

// newClient has the settings of the stand-in, and those of o.
func newClient(t testing.TB, srv *sandboxtest.Server, o smtpsend.Options) *smtpsend.Client {
	t.Helper()
	o.Settings = append(srv.Environ(), o.Settings...)
	client, err := smtpsend.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// testOf returns what an example uses as its test, and the function that ends it.
func testOf() (t testing.TB, end func()) { return exampletest.New() }
