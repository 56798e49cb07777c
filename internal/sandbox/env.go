package sandbox

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// ClientID, TenantID, ObjectID and ClientSecret are those of the first
// application, random at each start unless the scenario says otherwise.
func (s *Sandbox) ClientID() string { return s.tenant.First().ClientID }

// TenantID is the directory's.
func (s *Sandbox) TenantID() string { return s.tenant.ID }

// ObjectID is that of the first application's enterprise application.
func (s *Sandbox) ObjectID() string { return s.tenant.First().ObjectID }

// ClientSecret is a secret for this sandbox only.
func (s *Sandbox) ClientSecret() string { return s.tenant.First().ClientSecret }

// MailSender is the mailbox that Env names: the scenario's first, else noreply
// in its domain.
func (s *Sandbox) MailSender() string {
	if sc := s.opts.Scenario; sc != nil && len(sc.Mailboxes) > 0 {
		return sc.Mailboxes[0].Address
	}
	return "noreply@" + s.tenant.Domain
}

// TokenEndpoint is the URL of the token endpoint, with the placeholder
// #TenantID#, as the setting has it.
func (s *Sandbox) TokenEndpoint() string { return s.URL() + "/#TenantID#/oauth2/v2.0/token" }

// Env returns the settings for a client in this process, as "NAME=value". The
// authority's certificate is not among them: see CAPEM.
func (s *Sandbox) Env() []string {
	return append(serverEnv(s),
		"SMTPSEND_OFFICE_CLIENT_ID="+s.ClientID(),
		"SMTPSEND_OFFICE_TENANT_ID="+s.TenantID(),
		"SMTPSEND_OFFICE_CLIENT_SECRET="+s.ClientSecret(),
	)
}

// serverEnv are the settings that are the same for each kind of credential.
func serverEnv(s *Sandbox) []string {
	host, port, _ := net.SplitHostPort(s.SMTPAddr()) // an address of our own listener
	security := "2"
	if s.opts.ImplicitTLS {
		security = "1"
	}
	settings := []string{
		"SMTPSEND_MAIL_SERVER=" + host,
		"SMTPSEND_SMTP_PORT=" + port,
		"SMTPSEND_SMTP_SECURITY=" + security,
		"SMTPSEND_OFFICE_TOKEN_ENDPOINT=" + s.TokenEndpoint(),
		"SMTPSEND_MAIL_SENDER=" + s.MailSender(),
	}
	if s.opts.HVE {
		settings = append(settings, "SMTPSEND_SERVICE=hve")
	}
	if scale := int(s.opts.TimeScale); scale > 1 {
		settings = append(settings, fmt.Sprintf("SMTPSEND_TIME_SCALE=%d", scale))
	}
	return settings
}

// WriteEnv writes the settings to file and the authority's certificate to
// file.ca.pem, both by rename and readable by their owner alone. The outbox is
// file.outbox: with the user's own, what waits there for Exchange would go to
// the sandbox, and be taken for sent. Both listeners accept before Start
// returns, so whoever waits for the file may begin.
func (s *Sandbox) WriteEnv(file string) error { return writeSettings(s, file, s.Env()) }

// WriteCredential writes two files: file has the settings of the servers, without any
// credential, and file.credential the variables that the ecosystem of that kind sets, for
// "set -a; . file.credential" in a shell. Other files that these name are beside it, and
// begin with its name.
func (s *Sandbox) WriteCredential(file, kind string) error {
	path, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("finding directory of %s: %w", file, err)
	}
	variables, err := s.wallet.Env(path, kind)
	if err != nil {
		return err
	}
	if err := writeAssignments(path+".credential", "What "+kind+" has in its environment.", variables); err != nil {
		return err
	}
	return writeSettings(s, file, serverEnv(s))
}

func writeSettings(s *Sandbox, file string, settings []string) error {
	path, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("finding directory of %s: %w", file, err)
	}
	ca := path + ".ca.pem"
	if err := ownfile.Replace(ca, s.CAPEM(), 0o600); err != nil {
		return fmt.Errorf("writing certificate: %w", err)
	}
	all := append(settings, "SMTPSEND_CA_FILE="+ca, "SMTPSEND_STATE_DIR="+path+".outbox")
	return writeAssignments(file, "Settings for a sandbox of smtpsend. They end with it.", all)
}

// writeAssignments writes variables to a file that an env file and a shell read alike.
func writeAssignments(file, about string, variables []string) error {
	var b strings.Builder
	b.WriteString("# " + about + "\n")
	for _, line := range variables {
		name, value, _ := strings.Cut(line, "=")
		assignment, err := envfile.Format(name, value)
		if err != nil {
			return fmt.Errorf("writing settings: %w", err)
		}
		b.WriteString(assignment + "\n")
	}
	if err := ownfile.Replace(file, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing settings: %w", err)
	}
	return nil
}
