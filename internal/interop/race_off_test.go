//go:build !race && linux

package interop_test

// sparse takes every so many messages of the corpus.
const sparse = 1
