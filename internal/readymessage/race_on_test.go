//go:build race

package readymessage_test

// raceFactor is how many times as much memory code takes under the race detector.
const raceFactor = 6
