//go:build !race

package readymessage_test

const raceFactor = 1
