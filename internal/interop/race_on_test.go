//go:build race && linux

package interop_test

// sparse takes every so many messages of the corpus: the program that is tested
// is built without the race detector, so the rest would prove nothing more.
const sparse = 10
