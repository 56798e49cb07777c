package config

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/program"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// maxNotified is how much of what the program prints is looked at: it tells a
// secret that is there from other words.
const maxNotified = 4 << 10

// findNotifyCommand splits the setting, and refuses what cannot be split.
func findNotifyCommand(cfg *Config, found *findings, o Options) {
	cfg.NotifyCommand = found.values[setting.NotifyCommand].text
	if cfg.NotifyCommand.IsZero() || !found.good(setting.NotifyCommand) {
		return
	}
	words, err := program.Split(cfg.NotifyCommand.Reveal())
	if err != nil {
		found.problem(SeverityError, setting.NotifyCommand, err.Error())
		return
	}
	cfg.notify = program.Program{Words: words, Environ: withoutSecrets(o.Environ, found.values[setting.FederatedTokenFrom].text.Reveal()), Timeout: o.CommandTimeout, Silent: o.SilentCommands}
}

// Notify runs NOTIFY_COMMAND with input as its standard input, as a secret's
// command runs: without a shell, for 30 s at most. It gets the environment but for
// the secrets in it. What it prints is not kept. Its error says how it ended, and
// what it wrote to standard error; it is for a person, after printable has seen it.
func (c *Config) Notify(ctx context.Context, input []byte) error {
	if len(c.notify.Words) == 0 {
		return fmt.Errorf("%s is not set", Prefix+setting.NotifyCommand)
	}
	if _, err := c.notify.Run(ctx, input, maxNotified); err != nil {
		return fmt.Errorf("%s %w", Prefix+setting.NotifyCommand, err)
	}
	return nil
}

// withoutSecrets is an environment for a program that needs none: without secrets,
// and without the settings that may hold one, as the password of a proxy does and
// the arguments of a command. tokenFrom is FEDERATED_TOKEN_FROM.
func withoutSecrets(environ []string, tokenFrom string) []string {
	settings, others := setting.All(), credential.Secrets(tokenFrom)
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(name, other) }) {
			return true
		}
		return slices.ContainsFunc(settings, func(s setting.Setting) bool {
			isAzure := s.Azure != "" && strings.EqualFold(name, s.Azure)
			isValue := isAzure || strings.EqualFold(name, s.Variable())
			isCommand := strings.EqualFold(name, s.Variable()+"_COMMAND")
			mayHoldSecret := s.Name == "PROXY" || s.Command
			return (s.Secret && (isValue || isCommand)) || (mayHoldSecret && isValue)
		})
	})
}
