package view

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Sandbox is where the stand-in listens.
type Sandbox struct {
	stdio.Schema
	EnvFile string `json:"env_file"` // with settings for it, "" for none
	SMTP    string `json:"smtp"`
	URL     string `json:"url"` // of the token endpoint
}

// NewSandbox is the view of a sandbox whose settings are in a file.
func NewSandbox(box *sandbox.Sandbox, envFile string) Sandbox {
	return Sandbox{SMTP: box.SMTPAddr(), URL: box.URL(), EnvFile: envFile}
}

// Print writes the addresses.
func (v Sandbox) Print(p *stdio.Printer) {
	p.Printf("smtp:     %s\ntokens:   %s\ninbox:    %s/\n", v.SMTP, v.URL, strings.Replace(v.URL, "https:", "http:", 1))
	if v.EnvFile != "" {
		p.Printf("settings: %s\n", v.EnvFile)
	}
}

// Faults are what the sandbox can act out.
type Faults struct {
	stdio.Schema
	About map[string]string `json:"faults"` // by name, a line about each

	names []string
}

// NewFaults is the view of all faults.
func NewFaults() Faults {
	v := Faults{names: fault.Names(), About: make(map[string]string)}
	for _, name := range v.names {
		v.About[name] = fault.About(name)
	}
	return v
}

// Print writes a fault a line.
func (v Faults) Print(p *stdio.Printer) {
	width := 0
	for _, name := range v.names {
		width = max(width, len(name))
	}
	for _, name := range v.names {
		p.Printf("%-*s  %s\n", width, name, v.About[name])
	}
}

// Demo is what demo has submitted to the sandbox, and what arrived.
type Demo struct {
	stdio.Schema
	Arrived  []Arrived       `json:"arrived"`
	ExitCode int             `json:"exit_code"`
	Receipt  json.RawMessage `json:"receipt"` // the Receipt, as send printed it
	SMTP     string          `json:"smtp"`
	URL      string          `json:"url"`
}

// Arrived is a message as the sandbox stored it.
type Arrived struct {
	ID  string `json:"id"`
	Raw string `json:"raw"`
}

// NewDemo is the view of what is in the sandbox beside the receipt.
func NewDemo(box *sandbox.Sandbox, receipt json.RawMessage) (Demo, error) {
	v := Demo{SMTP: box.SMTPAddr(), URL: box.URL(), Receipt: receipt, ExitCode: exit.OK}
	for _, m := range box.Messages() {
		raw, ok := box.Raw(m.ID)
		if !ok {
			return v, fmt.Errorf("message %s is gone from the sandbox", m.ID)
		}
		v.Arrived = append(v.Arrived, Arrived{m.ID, string(raw)})
	}
	return v, nil
}

// Print writes the messages.
func (v Demo) Print(p *stdio.Printer) {
	for _, m := range v.Arrived {
		p.Printf("\narrived in the sandbox as message %s:\n\n", m.ID)
		p.Text(m.Raw + "\n")
	}
}
