package smtpsend_test

import (
	"context"
	"io"
	"os"
	"slices"
	"testing"

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

// exampleT is the testing.TB of the examples, which have none of their own.
type exampleT struct {
	testing.TB
	undo []func()
}

// testOf returns what an example uses as its test, and the function that ends it.
func testOf() (t testing.TB, end func()) {
	e := &exampleT{}
	return e, func() {
		for _, f := range slices.Backward(e.undo) {
			f()
		}
	}
}

func (e *exampleT) Helper()                      {}
func (e *exampleT) Output() io.Writer            { return io.Discard }
func (e *exampleT) Cleanup(f func())             { e.undo = append(e.undo, f) }
func (e *exampleT) Fatal(args ...any)            { panic(args) }
func (e *exampleT) Fatalf(text string, _ ...any) { panic(text) }
func (e *exampleT) Errorf(text string, _ ...any) { panic(text) }
func (e *exampleT) Context() context.Context     { return context.Background() }

func (e *exampleT) Setenv(name, value string) {
	before, set := os.LookupEnv(name)
	_ = os.Setenv(name, value)
	e.Cleanup(func() {
		if _ = os.Unsetenv(name); set {
			_ = os.Setenv(name, before)
		}
	})
}

func (e *exampleT) TempDir() string {
	dir, err := os.MkdirTemp("", "smtpsend")
	if err != nil {
		panic(err)
	}
	e.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
