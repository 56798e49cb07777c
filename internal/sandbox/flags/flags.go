// Package flags has what the verb "sandbox" is told, and makes of it the options of a
// sandbox: it reads the files and checks the names.
package flags

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/internal/spelling"
	"github.com/smtpsend/smtpsend/internal/textfile"
)

// Flags are the values of the flags, each with the name of its flag.
type Flags struct {
	ListenSMTP, ListenHTTP, WriteEnv string
	Scenario                         string
	Faults, Without                  []string
	Limits                           bool
	TimeScale                        int
	Service                          choice.Service
	Credential                       string // one of wallet.Kinds
	Certificates                     []string
}

// Options are those of the sandbox. An error names the flag, and has an exit code.
func (f *Flags) Options(ctx context.Context) (sandbox.Options, error) {
	o := sandbox.Options{SMTPAddr: f.ListenSMTP, HTTPAddr: f.ListenHTTP, Without: f.Without, HVE: f.Service == choice.ServiceHVE}
	if f.TimeScale < 1 || f.TimeScale > config.MaxTimeScale { // the settings that are written would be refused
		return o, exit.Usagef("--time-scale %d is not between 1 and %d", f.TimeScale, config.MaxTimeScale)
	}
	if o.TimeScale = float64(f.TimeScale); f.Limits {
		o.MessagesPerMinute, o.RecipientsPerDay = exchange.MessagesPerMinute, exchange.RecipientsPerDay
	}
	if f.Scenario != "" {
		var err error
		if o.Scenario, err = readScenario(ctx, f.Scenario); err != nil {
			return o, err
		}
	}
	for _, text := range f.Faults {
		one, err := fault.Parse(text)
		if err != nil {
			return o, unknownFault(text, err)
		}
		o.Faults = append(o.Faults, one)
	}
	return o, f.register(ctx, &o)
}

// readScenario reads what --scenario names.
func readScenario(ctx context.Context, name string) (*tenant.Scenario, error) {
	text, err := textfile.Read(ctx, name, nil, limits.Scenario)
	if err != nil {
		return nil, fmt.Errorf("--scenario: %w", err)
	}
	if text, err = charset.Strict([]byte(text)); err != nil {
		return nil, exit.With(exit.Data, fmt.Errorf("--scenario: file %q %w", name, err))
	}
	scenario, err := tenant.ParseScenario([]byte(text))
	if err != nil {
		return nil, exit.Usagef("--scenario %s: %v", name, err)
	}
	return scenario, nil
}

// register checks --credential, and reads what --certificate names.
func (f *Flags) register(ctx context.Context, o *sandbox.Options) error {
	isKnown := f.Credential == "" || slices.Contains(wallet.Kinds(), f.Credential)
	switch {
	case !isKnown:
		near := ""
		if n := spelling.Nearest(f.Credential, wallet.Kinds()); n != "" {
			near = "; the nearest is " + n
		}
		return exit.Usagef("--credential %q is not one of %s%s", f.Credential, strings.Join(wallet.Kinds(), ", "), near)
	case f.Credential != "" && f.WriteEnv == "":
		return exit.Usagef("--credential needs --write-env FILE: its settings are written to FILE and FILE.credential")
	}
	for _, name := range f.Certificates {
		text, err := textfile.Read(ctx, name, nil, limits.Scenario)
		if err != nil {
			return fmt.Errorf("--certificate: %w", err)
		}
		list, err := certfile.Read([]byte(text))
		if err != nil {
			return exit.With(exit.Data, fmt.Errorf("--certificate: file %q %w", name, err))
		}
		o.Certificates = append(o.Certificates, list[0])
	}
	return nil
}

// Write writes the settings of a sandbox that runs.
func (f *Flags) Write(box *sandbox.Sandbox) error {
	if f.Credential == "" {
		return box.WriteEnv(f.WriteEnv)
	}
	return box.WriteCredential(f.WriteEnv, f.Credential)
}

// unknownFault is the error for a --fault, with the name that was perhaps meant.
func unknownFault(text string, err error) error {
	name, _, _ := strings.Cut(text, ",")
	if fault.About(name) != "" {
		var wrong *fault.Error
		if errors.As(err, &wrong) {
			err = errors.New(wrong.Reason) // the text is named already
		}
		return exit.Usagef("--fault %q: %v", text, err)
	}
	near := ""
	if n := spelling.Nearest(name, fault.Names()); n != "" {
		near = fmt.Sprintf("; the nearest is %s", n)
	}
	return exit.Usagef("--fault %q: no such name%s; smtpsend sandbox --list-faults lists all names", text, near)
}
