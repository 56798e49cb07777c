package main

import (
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/keypair"
)

// hostilePair has a name that people are shown.
var hostilePair = sync.OnceValues(func() (*keypair.Pair, error) {
	return keypair.New(keypair.Template{Bits: 2048, CommonName: hidden + "\x1b[2J\u009b31m\nsmtpsend: fix: run this"})
})

// ofClientCertificates have it in a certificate, and in the names of files.
func ofClientCertificates(t *testing.T) []ordeal {
	t.Helper()
	pair, err := hostilePair()
	if err != nil {
		t.Fatal(err)
	}
	return []ordeal{
		{name: "a certificate's subject", args: []string{"cert", "show", "@@/c.pem"}, files: map[string]string{"c.pem": pair.PEM().Reveal()}},
		{name: "no certificate", args: []string{"cert", "show", "@@/c.pem"}, files: map[string]string{"c.pem": evil}, silent: true},
		{name: "a certificate's file", args: []string{"cert", "show", "@@/" + argument}},
		{name: "a certificate's name", args: []string{"cert", "new", "--name", argument, "@@/x"}, silent: true},
		{name: "a new certificate's file", args: []string{"cert", "new", "@@/missing/" + argument}},
		{name: "a place of Graph", args: []string{"cert", "rotate", "--upload", "--graph", argument, "--object-id", argument}, silent: true},
	}
}
