// Package relayview holds what the verbs of the relay show, as text and as the objects of
// --json. It is the room of package view for these verbs.
package relayview

import (
	"fmt"

	"github.com/smtpsend/smtpsend/internal/relay/filecheck"
	"github.com/smtpsend/smtpsend/internal/relay/users"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// Check is what is wrong with the settings file of the relay.
type Check struct {
	stdio.Schema
	ExitCode int `json:"exit_code"`
	filecheck.Result
}

// Print writes each warning and each problem in a line, and that there is none.
func (v Check) Print(p *stdio.Printer) {
	for _, w := range v.Warnings {
		p.Warningf("%s: %s", v.File, w)
	}
	for _, problem := range v.Problems {
		p.Errorf("%s: %s", v.File, problem)
	}
	if len(v.Problems) == 0 {
		p.Printf("no error in %s: %s and %s\n", v.File, view.Plural(v.Listeners, "1 listener", fmt.Sprint(v.Listeners)+" listeners"), view.Plural(v.Clients, "1 client", fmt.Sprint(v.Clients)+" clients"))
	}
}

// User is a user of the relay that was added or removed.
type User struct {
	stdio.Schema
	File     string `json:"file"`
	ExitCode int    `json:"exit_code"`
	Name     string `json:"name"`
	Outcome  string `json:"outcome"`            // "added", "replaced" or "removed"
	Password string `json:"password,omitempty"` // when it was generated
}

// Print writes what was done, and a password that was generated.
func (v User) Print(p *stdio.Printer) {
	said := map[string]string{"added": "user %s added to %s\n", "replaced": "user %s has another password in %s\n", "removed": "user %s removed from %s\n"}
	p.Printf(said[v.Outcome], v.Name, v.File)
	if v.Password != "" {
		p.Printf("password: %s\n", v.Password)
	}
}

// Users are the users of the relay.
type Users struct {
	stdio.Schema
	File     string     `json:"file"`
	ExitCode int        `json:"exit_code"`
	Users    []UserLine `json:"users"`
}

// UserLine is one user.
type UserLine struct {
	Name string `json:"name"`
	Hash string `json:"hash"` // "argon2id" or "bcrypt"
	Line int    `json:"line"`
}

// NewUsers is the view of a users file.
func NewUsers(name string, list []users.Entry) Users {
	v := Users{File: name, Users: []UserLine{}}
	for _, e := range list {
		v.Users = append(v.Users, UserLine{e.Name, e.Kind, e.Line})
	}
	return v
}

// Print writes a table.
func (v Users) Print(p *stdio.Printer) {
	table := stdio.NewTable(p, "NAME", "HASH")
	for _, u := range v.Users {
		table.Row(u.Name, u.Hash)
	}
	table.Flush()
}

// Reloaded says that the relay that runs took its settings.
type Reloaded struct {
	stdio.Schema
	ExitCode int `json:"exit_code"`
}

// Print says so.
func (v Reloaded) Print(p *stdio.Printer) { p.Printf("the relay has read its settings again\n") }
