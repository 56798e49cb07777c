package main

import (
	"encoding/pem"
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdCertificates is "certificates ENVFILE FILE": the settings of the sandbox have the
// certificate of FILE, which is registered, in place of the client secret. GRAPH and
// REGISTRATION are then Graph's address and the object ID of the app registration.
func cmdCertificates(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: certificates ENVFILE FILE")
	}
	box := boxOf(ts)
	env := ts.MkAbs(args[0])
	lines := slices.DeleteFunc(strings.Split(ts.ReadFile(env), "\n"), func(line string) bool { return strings.Contains(line, "CLIENT_SECRET=") })
	text := strings.Join(lines, "\n") + "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + ts.MkAbs(args[1]) + "\n"
	ts.Check(os.WriteFile(env, []byte(text), 0o600))
	ts.Setenv("GRAPH", box.URL())
	ts.Setenv("REGISTRATION", box.Credentials().Application().RegistrationID())
	cmdRegister(ts, false, args[1:])
}

// cmdRegister is "register FILE": people upload the certificate.
func cmdRegister(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: register FILE")
	}
	block, _ := pem.Decode([]byte(ts.ReadFile(args[0])))
	if block == nil {
		ts.Fatalf("%s has no certificate", args[0])
	}
	_, err := boxOf(ts).Credentials().Application().AddCertificate(block.Bytes)
	ts.Check(err)
}
