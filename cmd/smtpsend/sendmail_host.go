package main

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

// ownHost tells the names of this host from domains that have mailboxes.
// Programs put them behind local names (mutt and GNU mail write root@web1 or
// root@web1.lan.example), and every sendmail delivers such mail by its aliases.
type ownHost struct {
	name      string        // in lower case
	canonical func() string // as the resolver completes it, /etc/hosts first
	mail      []string      // domains that the settings send from: no names of hosts
}

// canonicalTimeout is short, because the answer is nearly always in /etc/hosts.
const canonicalTimeout = 3 * time.Second

func newOwnHost(cfg *config.Config) ownHost {
	name, _ := os.Hostname() // without a name no domain is this host's
	h := ownHost{name: strings.ToLower(name), mail: []string{strings.ToLower(cfg.DefaultDomain)}}
	for _, text := range []string{cfg.MailSender, cfg.SMTPUserName} {
		if a, err := address.Parse("", text); err == nil {
			h.mail = append(h.mail, strings.ToLower(a.Domain()))
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
func (h ownHost) has(domain string) bool {
	domain = strings.ToLower(domain)
	if h.name == "" || domain == "" {
		return false
	}
	for _, m := range h.mail {
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
