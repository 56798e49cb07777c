//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// program is one row of the table.
type program struct {
	name    string
	version string
	missing string // why it cannot be measured; "" when it can
	// command says how it is started for a job. An unable error says why it
	// cannot do the job.
	command func(j job) (invocation, error)
}

// invocation is a command line, what stands on standard input, and additions to
// the job's environment.
type invocation struct {
	args  []string
	stdin string // file; "": nothing
	env   []string
}

// unable is why a program cannot do a job.
type unable string

func (u unable) Error() string { return string(u) }

// ourName is the row to which ratios refer.
const ourName = "smtpsend"

// programs builds what is ours and finds the others. only, when not empty,
// limits the list.
func programs(ctx context.Context, dir, only string) ([]program, error) {
	built := map[string]string{}
	for _, p := range []string{"cmd/smtpsend", "bench/launch", "bench/session", "bench/gomail"} {
		built[filepath.Base(p)] = filepath.Join(dir, filepath.Base(p))
		if err := build(ctx, p, built[filepath.Base(p)]); err != nil {
			return nil, err
		}
	}
	all := []program{ours(ctx, built)}
	for _, find := range []func(context.Context) program{findMsmtp, findCurl, findNodemailer, findSmtplib} {
		all = append(all, find(ctx))
	}
	all = append(all, goMail(ctx, built["gomail"]))
	if only == "" {
		return all, nil
	}
	var chosen []program
	for _, p := range all {
		if strings.Contains(","+only+",", ","+p.name+",") {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no program of -only %s is known", only)
	}
	return chosen, nil
}

// build makes a static, stripped binary, as releases are.
func build(ctx context.Context, pkg, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s", "-o", out, "github.com/smtpsend/smtpsend/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, text)
	}
	return nil
}

var versionNumber = regexp.MustCompile(`v?\d+\.\d+[.\w+-]*`)

// version runs a program and returns the first version number in what it
// prints, or why there is none.
func version(ctx context.Context, args ...string) (number, missing string) {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", "not installed"
	}
	if err != nil {
		return "", "not usable: " + err.Error()
	}
	return versionNumber.FindString(string(out)), ""
}

// ours is the binary, and a driver of package submission for several messages on
// one session: batch keeps to the limits of Exchange, and could not be compared.
func ours(ctx context.Context, built map[string]string) program {
	p := program{name: ourName, version: "this tree"}
	if out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		p.version = "commit " + strings.TrimSpace(string(out))
	}
	p.command = func(j job) (invocation, error) {
		if j.messages > 1 {
			return invocation{args: []string{built["session"]}}, nil
		}
		cache := j.lab.path("cache")
		if j.cold {
			cache = filepath.Join(j.scratch, "cache")
		}
		args := []string{built["smtpsend"], "send", "--to", recipient, "--subject", "Report 1", "--text-file", j.lab.path("text")}
		if j.attach > 0 {
			args = append(args, "--attach", j.lab.attachment[j.attach])
		}
		return invocation{args: args, env: j.settings(cache)}, nil
	}
	return p
}

// settings are those of the sandbox, at the job's distance. Its certificate is all that
// the system trusts here: the peers are told of no other either, and with
// SMTPSEND_CA_FILE the system's are read too, which takes more than all else of a send.
func (j job) settings(cache string) []string {
	host, port := j.hostPort()
	return append(j.lab.box.Env(), "SMTPSEND_MAIL_SERVER="+host, "SMTPSEND_SMTP_PORT="+port,
		"SMTPSEND_OFFICE_TOKEN_ENDPOINT="+j.tokenURL, "SSL_CERT_FILE="+j.lab.path("ca.pem"), "SSL_CERT_DIR="+j.lab.path("none"), "SMTPSEND_CACHE_DIR="+cache)
}

// primeToken fetches the warm token: into our cache, and into the file from
// which the peers take it, which costs them less than asking a program for it.
func (l *lab) primeToken(ctx context.Context, binary string) error {
	j := l.job(scenario{}, true, l.dir)
	cmd := exec.CommandContext(ctx, binary, "token")
	cmd.Env = append(j.environ(), j.settings(l.path("cache"))...)
	token, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("fetching token: %w", err)
	}
	// The token cache knows a token by its endpoint: one for each distance.
	j = l.job(scenario{}, false, l.dir)
	near := exec.CommandContext(ctx, binary, "token")
	near.Env = append(j.environ(), j.settings(l.path("cache"))...)
	if err := near.Run(); err != nil {
		return fmt.Errorf("fetching token: %w", err)
	}
	return os.WriteFile(l.path("token"), token, 0o600)
}
