//go:build !linux

package outbox

// fileSystem knows no names here.
func fileSystem(string) (string, trust) { return "", good }
