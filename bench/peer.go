//go:build unix

package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed peers/nodemailer.js
var nodemailerScript string

//go:embed peers/smtplib.py
var smtplibScript string

// tokenScript is how a shell gets a token.
func (j job) tokenScript() (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {j.lab.box.ClientID()},
		"client_secret": {j.lab.box.ClientSecret()}, "scope": {scope},
	}
	file, err := j.write("form", form.Encode())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`curl -s --cacert %s -d @%s %s | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p'`,
		j.lab.path("ca.pem"), file, j.tokenURL), nil
}

func findMsmtp(ctx context.Context) program {
	p := program{name: "msmtp"}
	p.version, p.missing = version(ctx, "msmtp", "--version")
	p.command = func(j job) (invocation, error) {
		if j.messages > 1 {
			return invocation{}, unable("one message per process")
		}
		passwordeval := "cat " + j.lab.path("token")
		if j.cold {
			script, err := j.tokenScript()
			if err != nil {
				return invocation{}, err
			}
			file, err := j.write("token.sh", script)
			if err != nil {
				return invocation{}, err
			}
			passwordeval = "sh " + file
		}
		host, port := j.hostPort()
		config, err := j.write("msmtprc", "account default", "host "+host, "port "+port, "tls on", "tls_starttls on",
			"tls_trust_file "+j.lab.path("ca.pem"), "auth xoauth2", "user "+j.lab.box.MailSender(), "from "+j.lab.box.MailSender(),
			`passwordeval "`+passwordeval+`"`)
		return invocation{args: []string{"msmtp", "-C", config, recipient}, stdin: j.lab.ready[j.attach]}, err
	}
	return p
}

func findCurl(ctx context.Context) program {
	p := program{name: "curl"}
	p.version, p.missing = version(ctx, "curl", "--version")
	p.command = func(j job) (invocation, error) {
		token, err := os.ReadFile(j.lab.path("token"))
		if err != nil {
			return invocation{}, err
		}
		bearer := []string{fmt.Sprintf("oauth2-bearer = %q", strings.TrimSpace(string(token)))}
		if j.cold {
			bearer = nil
		}
		var lines []string
		for i := range j.messages {
			if i > 0 {
				lines = append(lines, "next")
			}
			lines = append(append(lines, j.curlTransfer()...), bearer...)
		}
		config, err := j.write("curlrc", lines...)
		if err != nil || !j.cold {
			return invocation{args: []string{"curl", "-q", "-K", config}}, err
		}
		script, err := j.tokenScript()
		file, werr := j.write("send.sh", `token=$(`+script+`)`, `exec curl -q -K `+config+` --oauth2-bearer "$token"`)
		if err == nil {
			err = werr
		}
		return invocation{args: []string{"sh", file}}, err
	}
	return p
}

// curlTransfer is one message in curl's configuration. A ready message is
// uploaded; an attachment is composed, which curl can do too.
func (j job) curlTransfer() []string {
	lines := []string{
		"silent", "show-error", "ssl-reqd", "sasl-ir", `login-options = "AUTH=XOAUTH2"`,
		fmt.Sprintf("url = %q", "smtp://"+j.smtpAddr), fmt.Sprintf("cacert = %q", j.lab.path("ca.pem")),
		fmt.Sprintf("user = %q", j.lab.box.MailSender()+":"), fmt.Sprintf("mail-from = %q", j.lab.box.MailSender()),
		fmt.Sprintf("mail-rcpt = %q", recipient),
	}
	if j.attach == 0 {
		return append(lines, fmt.Sprintf("upload-file = %q", j.lab.ready[0]))
	}
	return append(lines, fmt.Sprintf("header = %q", "From: "+j.lab.box.MailSender()), fmt.Sprintf("header = %q", "To: "+recipient),
		`header = "Subject: Report 1"`, `form = "=See the attachment."`,
		fmt.Sprintf("form = %q", "file=@"+j.lab.attachment[j.attach]+";encoder=base64"))
}

// findNodemailer looks where scripts/peers installs it.
func findNodemailer(ctx context.Context) program {
	p := program{name: "nodemailer"}
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		p.missing = "not found: " + err.Error()
		return p
	}
	modules := filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), ".peers", "node_modules")
	manifest := filepath.Join(modules, "nodemailer", "package.json")
	node, missing := reallyAt(ctx, "node", "-p", "process.execPath")
	if missing == "" {
		p.version, missing = version(ctx, node, "-p", fmt.Sprintf("require(%q).version", manifest))
	}
	if missing != "" {
		p.missing = "not installed (make peers installs it)"
		return p
	}
	runtime, _ := version(ctx, node, "--version")
	p.version += " on Node.js " + runtime
	p.command = func(j job) (invocation, error) {
		script, err := j.write("nodemailer.js", nodemailerScript)
		return invocation{
			args: []string{node, script},
			env:  []string{"NODE_PATH=" + modules, "NODE_EXTRA_CA_CERTS=" + j.lab.path("ca.pem")},
		}, err
	}
	return p
}

func findSmtplib(ctx context.Context) program {
	p := program{name: "smtplib"}
	python, missing := reallyAt(ctx, "python3", "-c", "import sys; print(sys.executable)")
	if p.missing = missing; missing != "" {
		return p
	}
	p.version, p.missing = version(ctx, python, "--version")
	p.command = func(j job) (invocation, error) {
		script, err := j.write("smtplib_peer.py", smtplibScript)
		return invocation{args: []string{python, script}}, err
	}
	return p
}

// reallyAt asks an interpreter where it is: what is in PATH may be the script of
// a version manager, whose time is not the interpreter's.
func reallyAt(ctx context.Context, args ...string) (path, missing string) {
	if _, err := exec.LookPath(args[0]); err != nil {
		return "", "not installed"
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if err != nil {
		return "", "not usable: " + err.Error()
	}
	return strings.TrimSpace(string(out)), ""
}

// goMailName is the row of go-mail.
const goMailName = "go-mail"

func goMail(ctx context.Context, binary string) program {
	p := program{name: goMailName}
	p.version, p.missing = version(ctx, "go", "list", "-m", "github.com/wneessen/go-mail")
	p.command = func(job) (invocation, error) { return invocation{args: []string{binary}}, nil }
	return p
}
