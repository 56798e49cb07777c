//go:build !race

package message_test

const raceFactor = 1
