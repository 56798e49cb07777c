// Package freeport finds ports for programs of tests and benchmarks that cannot listen
// on port 0 and say which port they got.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The range ends where systems begin to give ports to who asks for any: whoever
// listens on port 0 or connects meanwhile does not get one of these.
const (
	lowest = 10000
	end    = 32768
	tries  = 100
)

// Find returns a TCP port of 127.0.0.1 that no one listens on now. Nothing keeps
// another program from taking it, but nobody gets it who did not choose it.
func Find() (string, error) {
	var last error
	for range tries {
		port := strconv.Itoa(lowest + rand.IntN(end-lowest))
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return "", fmt.Errorf("finding a free port: %w", last)
}
