package localname

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
)

// hostNames tells the names of this host from domains that have mailboxes.
// Programs add them to local names (mutt and GNU mail write root@web1 or
// root@web1.lan.example), and every sendmail delivers such mail by its aliases.
type hostNames struct {
	name        string        // in lower case
	canonical   func() string // as the resolver completes it, /etc/hosts first
	mailDomains []string      // domains that the settings send from, which are not names of hosts
}

// canonicalTimeout is short, because the answer is nearly always in /etc/hosts.
const canonicalTimeout = 3 * time.Second

func newHostNames(cfg *config.Config) hostNames {
	name, _ := os.Hostname() // without a name no domain is this host's
	h := hostNames{name: strings.ToLower(name), mailDomains: []string{strings.ToLower(cfg.DefaultDomain)}}
	for _, text := range []string{cfg.MailSender, cfg.SMTPUserName} {
		if a, err := address.Parse("", text); err == nil {
			h.mailDomains = append(h.mailDomains, strings.ToLower(a.Domain()))
		}
	}
	h.canonical = sync.OnceValue(func() string {
		ctx, cancel := context.WithTimeout(context.Background(), canonicalTimeout)
		defer cancel()
		full, _ := net.DefaultResolver.LookupCNAME(ctx, h.name)
		return strings.ToLower(strings.TrimSuffix(full, "."))
	})
	return h
}

// has reports that domain is a name of this host. The resolver is asked only
// about a domain that begins like the host's name.
func (h hostNames) has(domain string) bool {
	domain = strings.ToLower(domain)
	if h.name == "" || domain == "" {
		return false
	}
	for _, m := range h.mailDomains {
		if domain == m {
			return false
		}
	}
	short, _, _ := strings.Cut(h.name, ".")
	switch {
	case domain == h.name, domain == short:
		return true
	case strings.HasPrefix(domain, short+"."):
		return domain == h.canonical()
	}
	return false
}
