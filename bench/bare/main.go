// Command bare does nothing. It links in what every program that submits mail needs,
// package crypto/tls and net/http, and so is what the start of smtpsend is held against.
package main

import (
	"crypto/tls"
	"net/http"
	"os"
)

// dial and get are used, for the linker.
var (
	dial = tls.Dial
	get  = http.Get
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	if conn, err := dial("tcp", os.Args[1], nil); err == nil {
		_ = conn.Close()
	}
	if answer, err := get(os.Args[1]); err == nil {
		_ = answer.Body.Close()
	}
}
