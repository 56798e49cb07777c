//go:build unix

package message

import "syscall"

// nonBlock keeps the opening of a named pipe from waiting for its writer.
const nonBlock = syscall.O_NONBLOCK
