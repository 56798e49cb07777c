//go:build unix && !linux && !darwin && !freebsd

package ownfile

import "golang.org/x/sys/unix"

// searchDir opens a directory to look names up in.
const searchDir = unix.O_RDONLY | unix.O_DIRECTORY

// readOnly knows no file system here.
func readOnly(int) bool { return false }

// keepsNoFiles knows no file system of the kernel's here.
func keepsNoFiles(int) bool { return false }
