// Package exampletest is a testing.TB for examples, which have none of their own, for
// the tests of the public packages.
package exampletest

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// exampleT embeds a testing.TB that is nil, because it cannot be implemented outside
// of package testing; the methods that the examples need are its own.
type exampleT struct {
	testing.TB
	undo []func()
}

// New returns what an example uses as its test, and the function that ends it. A
// failure panics.
func New() (t testing.TB, end func()) {
	e := &exampleT{}
	return e, func() {
		for _, f := range slices.Backward(e.undo) {
			f()
		}
	}
}

// Helper does nothing.
func (e *exampleT) Helper() {}

// Output is dropped: an example has an output of its own.
func (e *exampleT) Output() io.Writer { return io.Discard }

// Cleanup has f called at the end, the last one first.
func (e *exampleT) Cleanup(f func()) { e.undo = append(e.undo, f) }

// Fatal panics.
func (e *exampleT) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Fatalf panics.
func (e *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Errorf panics.
func (e *exampleT) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Context does not end.
func (e *exampleT) Context() context.Context { return context.Background() }

// Setenv sets a variable until the end.
func (e *exampleT) Setenv(name, value string) {
	before, set := os.LookupEnv(name)
	if err := os.Setenv(name, value); err != nil {
		panic(err)
	}
	e.Cleanup(func() {
		if _ = os.Unsetenv(name); set {
			_ = os.Setenv(name, before)
		}
	})
}

// TempDir makes a directory, and removes it at the end.
func (e *exampleT) TempDir() string {
	dir, err := ownfile.MakeTempDir("example")
	if err != nil {
		panic(err)
	}
	e.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
