//go:build linux

package interop_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// breakage is one way in which a server of testdata/faults.js fails, as is
// written there.
type breakage struct {
	At    string `json:"at"`
	Do    string `json:"do"`
	Reply string `json:"reply,omitempty"`
	Match string `json:"match,omitempty"`
	Times int    `json:"times,omitempty"`
	After int    `json:"after,omitempty"`
	Delay int    `json:"delay,omitempty"`
	Store bool   `json:"store,omitempty"`
}

// delivery is a message that such a server keeps.
type delivery struct {
	EHLO, User, From string
	SMTPUTF8         bool
	To               []string
	Content          []byte
}

// servers makes servers that fail when they are told to. Its methods may be
// called from several goroutines.
type servers struct {
	control string
	cert    []byte // certificates to trust
}

// certificates are those that a server may have by name; of self-signed ones
// nobody knows the authority.
var certificates = map[string]func(*x509.Certificate){
	"good":        func(*x509.Certificate) {},
	"self-signed": func(*x509.Certificate) {},
	"expired": func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	},
	"wrong-host": func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"smtp.fabrikam.example"} },
}

// startServers starts the program.
func startServers(t testing.TB) *servers {
	t.Helper()
	dir, s := t.TempDir(), &servers{}
	pairs := map[string]map[string]string{}
	for name, change := range certificates {
		cert, key := filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
		if pem := issue(t, cert, key, change); name != "self-signed" {
			s.cert = append(s.cert, pem...)
		}
		pairs[name] = map[string]string{"cert": cert, "key": key}
	}
	argument, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	_, line := serve(t, node(t, "faults.js", string(argument)), "control on ")
	s.control = "http://127.0.0.1:" + strings.TrimPrefix(line, "control on ")
	return s
}

// ask has the program do something, and reads its answer.
func (s *servers) ask(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, s.control+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, path, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

// foreign is one server.
type foreign struct {
	of   *servers
	port int
}

// open starts a server with these faults and smtp-server's options.
func (s *servers) open(faults []breakage, options map[string]any) (*foreign, error) {
	f := &foreign{of: s}
	var made struct{ Port int }
	if faults == nil {
		faults = []breakage{}
	}
	if options == nil {
		options = map[string]any{}
	}
	err := s.ask("POST", "/servers", map[string]any{"faults": faults, "options": options}, &made)
	f.port = made.Port
	return f, err
}

func (f *foreign) do(method, what string, answer any) error {
	return f.of.ask(method, fmt.Sprintf("/servers/%d%s", f.port, what), struct{}{}, answer)
}

// heal ends the server's faults.
func (f *foreign) heal() error { return f.do("POST", "/heal", &struct{}{}) }

// close ends the server.
func (f *foreign) close() error { return f.do("DELETE", "", &struct{}{}) }

// messages are what the server keeps, in the order in which it took them.
func (f *foreign) messages() (list []delivery, err error) {
	return list, f.do("GET", "/messages", &list)
}

// take is messages, which the server forgets.
func (f *foreign) take() (list []delivery, err error) {
	return list, f.do("DELETE", "/messages", &list)
}

// struck is how often its faults struck.
func (f *foreign) struck() (int, error) {
	var answer struct{ Struck int }
	err := f.do("GET", "/struck", &answer)
	return answer.Struck, err
}
