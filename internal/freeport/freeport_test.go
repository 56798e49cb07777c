package freeport_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/smtpsend/smtpsend/internal/freeport"
)

func TestFoundPortIsFreeAndNoOneGetsItByChance(t *testing.T) {
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 10000 || n > 32767 {
		t.Errorf("port %s, %v", port, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
