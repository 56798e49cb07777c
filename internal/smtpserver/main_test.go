package smtpserver_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the child process of TestIdleConnections.
func TestMain(m *testing.M) {
	if kind := os.Getenv("SMTPSERVER_TEST_IDLE"); kind != "" {
		if err := idleServer(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
