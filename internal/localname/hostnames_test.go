package localname

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
)

func TestHostHasItsNamesAndNoMailDomain(t *testing.T) {
	host := func(name, canonical string) hostNames {
		h := newHostNames(&config.Config{
			MailSender: "Reports <noreply@Contoso.example>", SMTPUserName: "box@fabrikam.example", DefaultDomain: "tailspin.example",
		})
		h.name, h.canonical = name, func() string { return canonical }
		return h
	}
	tests := []struct {
		name, canonical, domain string
		want                    bool
	}{
		{"web1", "web1.lan.example", "web1", true},
		{"web1", "web1.lan.example", "WEB1.lan.example", true},
		{"web1.lan.example", "", "web1.lan.example", true},
		{"web1.lan.example", "", "web1", true},
		{"web1", "web1.lan.example", "web1.other.example", false},
		{"mail", "mail.lan.example", "mail.com", false}, // begins like the host's name, and is a provider
		{"web1", "", "web1.lan.example", false},
		{"web1", "web1.lan.example", "lan.example", false},
		{"web1", "web1.lan.example", "", false},
		{"", "", "", false},
		{"contoso.example", "contoso.example", "contoso.example", false}, // a host that is called as its mail domain
		{"fabrikam", "fabrikam.example", "fabrikam.example", false},
		{"tailspin", "tailspin.example", "tailspin.example", false},
	}
	for _, tt := range tests {
		if got := host(tt.name, tt.canonical).has(tt.domain); got != tt.want {
			t.Errorf("host %q (%q), domain %q: %v; want %v", tt.name, tt.canonical, tt.domain, got, tt.want)
		}
	}
}
