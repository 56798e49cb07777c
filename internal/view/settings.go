package view

import (
	"errors"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Settings are all settings, each with where its value comes from, and what is wrong
// with them.
type Settings struct {
	stdio.Schema
	EnvFile  string `json:"env_file"`
	ExitCode int    `json:"exit_code"`
	// Credential is what proves the client, and the variable that chose it.
	Credential string           `json:"credential"`
	Problems   []config.Problem `json:"problems"` // null when there are none
	Settings   []config.Shown   `json:"settings"`
}

// NewSettings is the view of what config.Load returned.
func NewSettings(cfg *config.Config, err error) Settings {
	return Settings{Credential: cfg.Credential.String(), Settings: cfg.Show(), EnvFile: cfg.EnvFile(), Problems: problemsOf(cfg, err), ExitCode: ending.Code(err)}
}

// problemsOf are the problems of settings: of an error all, else the warnings.
func problemsOf(cfg *config.Config, err error) []config.Problem {
	if all, ok := errors.AsType[*config.Problems](err); ok {
		return all.List
	}
	return cfg.Warnings()
}

// Print writes each setting as a line of an env file, and the credential in a comment.
func (v Settings) Print(p *stdio.Printer) {
	width := 0
	for _, s := range v.Settings {
		width = max(width, len(s.Variable)+1+len(s.Value))
	}
	for _, s := range v.Settings {
		p.Printf("%-*s  %s\n", min(width, 90), s.Variable+"="+printable.Line(s.Value), origin(s))
	}
	p.Printf("# credential in use: %s\n", printable.Line(v.Credential))
}

func origin(s config.Shown) string {
	if s.Origin == "" {
		return "# unset"
	}
	return "# " + s.Origin
}

// SettingsCheck is what is wrong with the settings.
type SettingsCheck struct {
	stdio.Schema
	EnvFile    string           `json:"env_file"`
	ExitCode   int              `json:"exit_code"`
	Problems   []config.Problem `json:"problems"`
	Credential string           `json:"credential"` // in use, and what chose it
	Expiry     []expiry.Found   `json:"expiry"`     // what ends by itself; empty when the settings cannot be used
}

// NewSettingsCheck is the view of what config.Load returned, with what ends.
func NewSettingsCheck(cfg *config.Config, err error, ends []expiry.Found) SettingsCheck {
	return SettingsCheck{Credential: cfg.Credential.String(), Expiry: append([]expiry.Found{}, ends...), Problems: append([]config.Problem{}, problemsOf(cfg, err)...), EnvFile: cfg.EnvFile(), ExitCode: ending.Code(err)}
}

// Print writes the warnings, and that there is no error.
func (v SettingsCheck) Print(p *stdio.Printer) {
	Warnings(p, v.Problems)
	for _, f := range v.Expiry {
		if f.State != expiry.Valid {
			p.Warningf("%s", f.Text)
		}
	}
	from := ""
	if v.EnvFile != "" {
		from = " of the environment and " + v.EnvFile
	}
	p.Printf("no error in the settings%s\ncredential in use: %s\n", from, printable.Line(v.Credential))
}

// Warnings warns of problems of settings, a line each.
func Warnings(p *stdio.Printer, list []config.Problem) {
	for _, problem := range list {
		p.Warningf("%s", problem)
	}
}

// Problems says what is wrong with the settings, a line each. An env file that cannot
// be read is a warning, and the cause of the errors after it.
func Problems(p *stdio.Printer, all *config.Problems) {
	Warnings(p, all.Warnings())
	for _, problem := range all.Errors() {
		p.Errorf("%s", problem)
	}
}

// SecretCheck proves that the client secret opens.
type SecretCheck struct {
	stdio.Schema
	ExitCode int           `json:"exit_code"`
	Length   int           `json:"length"` // in octets
	Origin   config.Origin `json:"origin"`
}

// Print writes the length and where the secret comes from.
func (v SecretCheck) Print(p *stdio.Printer) {
	p.Printf("the client secret opens: %d octets, from %s\n", v.Length, v.Origin)
}
