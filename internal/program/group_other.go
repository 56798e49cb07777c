//go:build !unix

package program

import "os/exec"

// ownGroup does nothing: a process without a group is killed alone.
func ownGroup(*exec.Cmd) {}
