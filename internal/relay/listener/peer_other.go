//go:build !linux && !darwin && !freebsd

package listener

import (
	"errors"
	"net"
)

// peerOf fails: who connects must be known.
func peerOf(*net.UnixConn) (LocalUser, error) { return LocalUser{}, errors.ErrUnsupported }

// isRefused is not known here.
func isRefused(error) bool { return false }
