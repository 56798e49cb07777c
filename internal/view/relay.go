package view

import (
	"fmt"

	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/users"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// RelayCheck is what is wrong with the settings file of the relay.
type RelayCheck struct {
	stdio.Schema
	ExitCode int `json:"exit_code"`
	relay.Examination
}

// Print writes each warning and each problem in a line, and that there is none.
func (v RelayCheck) Print(p *stdio.Printer) {
	for _, w := range v.Warnings {
		p.Warningf("%s: %s", v.File, w)
	}
	for _, problem := range v.Problems {
		p.Errorf("%s: %s", v.File, problem)
	}
	if len(v.Problems) == 0 {
		p.Printf("no error in %s: %s and %s\n", v.File, Plural(v.Listeners, "1 listener", fmt.Sprint(v.Listeners)+" listeners"), Plural(v.Clients, "1 client", fmt.Sprint(v.Clients)+" clients"))
	}
}

// RelayUser is a user of the relay that was added or removed.
type RelayUser struct {
	stdio.Schema
	File     string `json:"file"`
	ExitCode int    `json:"exit_code"`
	Name     string `json:"name"`
	Outcome  string `json:"outcome"`            // "added", "replaced" or "removed"
	Password string `json:"password,omitempty"` // when it was generated
}

// Print writes what was done, and a password that was generated.
func (v RelayUser) Print(p *stdio.Printer) {
	said := map[string]string{"added": "user %s added to %s\n", "replaced": "user %s has another password in %s\n", "removed": "user %s removed from %s\n"}
	p.Printf(said[v.Outcome], v.Name, v.File)
	if v.Password != "" {
		p.Printf("password: %s\n", v.Password)
	}
}

// RelayUsers are the users of the relay.
type RelayUsers struct {
	stdio.Schema
	File     string          `json:"file"`
	ExitCode int             `json:"exit_code"`
	Users    []RelayUserLine `json:"users"`
}

// RelayUserLine is one user.
type RelayUserLine struct {
	Name string `json:"name"`
	Hash string `json:"hash"` // "argon2id" or "bcrypt"
	Line int    `json:"line"`
}

// NewRelayUsers is the view of a users file.
func NewRelayUsers(name string, list []users.Entry) RelayUsers {
	v := RelayUsers{File: name, Users: []RelayUserLine{}}
	for _, e := range list {
		v.Users = append(v.Users, RelayUserLine{e.Name, e.Kind, e.Line})
	}
	return v
}

// Print writes a table.
func (v RelayUsers) Print(p *stdio.Printer) {
	table := stdio.NewTable(p, "NAME", "HASH")
	for _, u := range v.Users {
		table.Row(u.Name, u.Hash)
	}
	table.Flush()
}

// RelayReloaded says that the relay that runs took its settings.
type RelayReloaded struct {
	stdio.Schema
	ExitCode int `json:"exit_code"`
}

// Print says so.
func (v RelayReloaded) Print(p *stdio.Printer) { p.Printf("the relay has read its settings again\n") }
