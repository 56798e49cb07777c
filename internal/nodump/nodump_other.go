//go:build !unix

package nodump

// Disable does nothing: Windows writes no dump of a process unless it is set up
// to, and then for all of them.
func Disable() error { return nil }
