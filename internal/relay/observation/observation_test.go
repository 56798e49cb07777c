package observation_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/observation"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC)

// visit is one of a client that sent a message.
func visit(place, user string, senders ...string) event.Visit {
	v := event.Visit{
		Session: event.Session{Time: noon, Listener: "starttls://0.0.0.0:25", User: user, Client: "observed", Hello: "printer"},
		Began:   noon.Add(-time.Second), Learned: true, Senders: senders, Domains: []string{"contoso.com"}, Messages: 1, Recipients: 2, Octets: 3, Largest: 3,
	}
	if text, ok := strings.CutPrefix(place, "uid "); ok {
		v.Unix, v.Listener = true, "unix:///run/relay.sock"
		_, _ = fmt.Sscan(text, &v.UID)
	} else {
		v.Address = netip.MustParseAddr(place)
	}
	return v
}

// observed is what was seen of visits.
func observed(t *testing.T, visits ...event.Visit) (*observation.Seen, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "observed.json")
	observe(t, path, visits...)
	seen, err := observation.Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return seen, path
}

func observe(t *testing.T, path string, visits ...event.Visit) {
	t.Helper()
	o, err := observation.Open(t.Context(), observation.Options{Path: path, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range visits {
		o.Visited(v)
	}
	o.Close()
}

func TestWhatWasSeenIsKept(t *testing.T) {
	old := visit("192.0.2.17", "", "a@contoso.com", "")
	old.TLS, old.Quirks = event.TLS{Version: tls.VersionTLS10, CipherSuite: tls.TLS_RSA_WITH_AES_128_CBC_SHA}, smtpserver.QuirkNoQuit
	stranger := visit("203.0.113.1", "", "spam@example.net")
	stranger.Client = ""
	seen, path := observed(t, old, visit("192.0.2.17", "", "b@contoso.com"), visit("192.0.2.18", "erp", "erp@contoso.com"), stranger)
	want := observation.Client{
		Places: []string{"192.0.2.17"}, Hellos: []string{"printer"}, Senders: []string{"a@contoso.com", "", "b@contoso.com"}, Domains: []string{"contoso.com"}, Learned: true,
		Listeners: []observation.Visited{{Address: "starttls://0.0.0.0:25", TLS: []string{"TLS 1.0 TLS_RSA_WITH_AES_128_CBC_SHA"}, Oldest: tls.VersionTLS10}},
		Sessions:  2, Messages: 2, Recipients: 4, Octets: 6, Largest: 3, Quirks: []string{"no-quit"}, First: noon.Add(-time.Second), Last: noon,
	}
	if len(seen.Clients) != 2 || !reflect.DeepEqual(seen.Clients[0], want) {
		t.Errorf("seen %+v", seen.Clients)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	observe(t, path, visit("192.0.2.17", "", "c@contoso.com")) // another run goes on
	again, err := observation.Read(t.Context(), path)
	if err != nil || again.Clients[0].Sessions != 3 || len(again.Clients[0].Senders) != 4 {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestAFloodIsBounded: neither clients, nor what one says, make the file grow without end.
func TestAFloodIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "observed.json")
	long := strings.Repeat("x", event.MaxText-20)
	for round := range 22 {
		var visits []event.Visit
		for i := range 50 {
			v := visit(fmt.Sprintf("10.0.%d.%d", round, i), "")
			for j := range event.MaxSeen * max(0, 4-round) / 4 {
				v.Senders = append(v.Senders, fmt.Sprintf("%d-%d-%s@x.com", i, j, long))
				v.Domains = append(v.Domains, fmt.Sprintf("%d-%d-%s.com", i, j, long))
			}
			visits = append(visits, v)
		}
		observe(t, path, visits...)
	}
	seen, err := observation.Read(t.Context(), path)
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || info.Size() > 8<<20 || len(seen.Clients) > 1000 || seen.Lost == 0 || !seen.Clients[0].More.Senders {
		t.Errorf("%d clients in %d octets, %d lost, %v", len(seen.Clients), info.Size(), seen.Lost, err)
	}
}

func propose(t *testing.T, o observation.ProposeOptions, visits ...event.Visit) (*observation.Proposal, *relayfile.File) {
	t.Helper()
	seen, _ := observed(t, visits...)
	p, err := observation.Propose(seen, o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := relayfile.Parse([]byte(p.Text))
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Text)
	}
	return p, f
}

func withTLS(version uint16, v event.Visit) event.Visit {
	v.TLS = event.TLS{Version: version, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	return v
}

func TestProposals(t *testing.T) {
	hello := func(name string, v event.Visit) event.Visit { v.Hello = name; return v }
	tests := map[string]struct {
		options observation.ProposeOptions
		visits  []event.Visit
		want    string
		notes   []string // beginnings
	}{
		"by address": {visits: []event.Visit{visit("192.0.2.17", "", "scan@contoso.com"), hello("nas.local", visit("10.0.0.4", "", "Nas@Contoso.com"))}, want: `listeners:
  - address: starttls://0.0.0.0:25
    policy: ip
clients:
  - name: nas
    networks: [10.0.0.4]
    senders: [nas@contoso.com]
    recipient_domains: [contoso.com]
  - name: printer
    networks: [192.0.2.17]
    senders: [scan@contoso.com]
    recipient_domains: [contoso.com]
`},
		"users at their addresses": {visits: []event.Visit{withTLS(tls.VersionTLS12, visit("192.0.2.17", "erp", "erp@contoso.com")), withTLS(tls.VersionTLS12, visit("192.0.2.18", "erp", "erp@contoso.com"))}, want: `users_file: 'relay-users'
listeners:
  - address: starttls://0.0.0.0:25
    policy: ip-and-auth
clients:
  - name: erp
    networks: [192.0.2.17, 192.0.2.18]
    user: erp
    senders: [erp@contoso.com]
    recipient_domains: [contoso.com]
`, notes: []string{`the user "erp" needs a password (smtpsend relay user add)`}},
		"both, with old TLS, and a password in the clear": {visits: []event.Visit{withTLS(tls.VersionTLS10, visit("192.0.2.17", "", "scan@contoso.com")), visit("192.0.2.18", "erp", "erp@contoso.com")}, want: `users_file: 'relay-users'
listeners:
  - address: starttls://0.0.0.0:25
    policy: ip-or-auth
    tls_min: "1.0"
    auth_without_tls: true
clients:
  - name: printer
    networks: [192.0.2.17]
    senders: [scan@contoso.com]
    recipient_domains: [contoso.com]
  - name: erp
    user: erp
    senders: [erp@contoso.com]
    recipient_domains: [contoso.com]
`, notes: []string{"a client signs in to starttls://0.0.0.0:25 without TLS", `the user "erp" needs a password`, "listeners[0].tls_min: ", "listeners[0].auth_without_tls: "}},
		"no sender, and a default mailbox": {options: observation.ProposeOptions{Mailbox: address.MustParse("noreply@contoso.com")}, visits: []event.Visit{visit("192.0.2.17", "", "", "root")}, want: `default_mailbox: 'noreply@contoso.com'
listeners:
  - address: starttls://0.0.0.0:25
    policy: ip
clients:
  - name: printer
    networks: [192.0.2.17]
    senders: [noreply@contoso.com]
    recipient_domains: [contoso.com]
`},
		"a local user": {visits: []event.Visit{visit("uid 33", "", "web@contoso.com")}, want: `listeners:
  - address: unix:///run/relay.sock
    policy: ip
clients:
  - name: printer
    uids: [33]
    senders: [web@contoso.com]
    recipient_domains: [contoso.com]
`},
		"two of one name, and odd ones": {visits: []event.Visit{
			hello("x\x1b y:", visit("10.0.0.1", "", "a@contoso.com")), hello("x-y", visit("10.0.0.2", "", "a@contoso.com")), hello("x-- y", visit("10.0.0.3", "", "a@contoso.com")),
		}, want: `listeners:
  - address: starttls://0.0.0.0:25
    policy: ip
clients:
  - name: 10.0.0.1
    networks: [10.0.0.1]
    senders: [a@contoso.com]
    recipient_domains: [contoso.com]
  - name: x-y
    networks: [10.0.0.2]
    senders: [a@contoso.com]
    recipient_domains: [contoso.com]
  - name: x---y
    networks: [10.0.0.3]
    senders: [a@contoso.com]
    recipient_domains: [contoso.com]
`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := propose(t, tt.options, tt.visits...)
			if p.Text != tt.want {
				t.Errorf("%s\nwant\n%s", p.Text, tt.want)
			}
			if len(p.Notes) != len(tt.notes) {
				t.Errorf("notes %q", p.Notes)
			}
			for i, begin := range tt.notes {
				if i < len(p.Notes) && !strings.HasPrefix(p.Notes[i], begin) {
					t.Errorf("note %q, want %q", p.Notes[i], begin)
				}
			}
		})
	}
}

// TestAClientOfTheInternetIsNotLetInWithAnySender: without a sender of its own it is left
// out, and said.
func TestAClientOfTheInternetIsNotLetInWithAnySender(t *testing.T) {
	p, f := propose(t, observation.ProposeOptions{}, visit("203.0.113.7", "", ""), visit("10.0.0.4", "", "a@contoso.com"))
	if len(f.Clients) != 1 || len(p.Notes) != 2 || !strings.Contains(p.Notes[1], "is left out") {
		t.Errorf("%s\n%q", p.Text, p.Notes)
	}
}

// TestWhoGotNothingThroughIsNamed, because the file does not admit it.
func TestWhoGotNothingThroughIsNamed(t *testing.T) {
	ups := visit("10.0.0.7", "", "")
	ups.Messages = 0
	scan := ups
	scan.Address, scan.Senders = netip.MustParseAddr("10.0.0.8"), nil // monitoring
	p, f := propose(t, observation.ProposeOptions{}, ups, scan, visit("10.0.0.4", "", "a@contoso.com"))
	if len(f.Clients) != 1 || len(p.Notes) != 1 || !strings.HasPrefix(p.Notes[0], "10.0.0.7 wanted to send as <>, and no message of it was taken") {
		t.Errorf("%s\n%q", p.Text, p.Notes)
	}
}

// TestTheFileInUseStays: its entries are there, and what is seen is added.
// What the file cannot name is nothing that it permits: a client that calls itself
// *@contoso.com does not get the whole domain, and one without a sender that can be
// written may not be anyone.
func TestWhatCannotBeWrittenIsNotPermitted(t *testing.T) {
	star, odd := visit("10.0.0.1", "", "*@contoso.com", "a@contoso.com"), visit("10.0.0.2", "", "a*b@contoso.com")
	odd.Hello = "odd"
	literal := visit("10.0.0.3", "", "c@contoso.com")
	literal.Hello, literal.Domains = "literal", []string{"[10.0.0.9]"}
	p, f := propose(t, observation.ProposeOptions{}, star, odd, literal)
	want := []string{
		`client printer used the sender "*@contoso.com", which the file cannot name`, `client odd used the sender "a*b@contoso.com", which the file cannot name`,
		"client odd is left out", "client literal wrote to \"[10.0.0.9]\", which the file cannot name", "client literal may write to any domain",
	}
	for i, begin := range want {
		if i >= len(p.Notes) || !strings.HasPrefix(p.Notes[i], begin) {
			t.Fatalf("notes %q", p.Notes)
		}
	}
	if len(f.Clients) != 2 || len(f.Clients[0].Senders) != 1 || f.Clients[0].Senders[0].String() != "a@contoso.com" {
		t.Error(p.Text)
	}
}

func TestTheFileInUseStays(t *testing.T) {
	const old = `
hostname: relay.contoso.com
users_file: users
default_mailbox: noreply@contoso.com
listeners:
  - {address: 'starttls://0.0.0.0:25', policy: ip-and-auth, tls_min: "1.3", limits: {size: 1 MB}}
  - {address: 'smtp://127.0.0.1:26'}
clients:
  - {name: printer, user: scan, networks: [192.0.2.0/24], budget: {per_hour: 5}}
  - {name: local, networks: [127.0.0.1]}
senders:
  - {from: '*@old.example', mailbox: a@contoso.com}
`
	f, err := relayfile.Parse([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	known := visit("192.0.2.9", "scan", "scan@contoso.com")
	known.Learned = false
	p, got := propose(t, observation.ProposeOptions{File: f}, known, withTLS(tls.VersionTLS12, visit("192.0.2.17", "", "")), visit("192.0.2.18", "scan", "x@contoso.com"))
	if l := got.Listeners[0]; l.Policy != relayfile.PolicyIPOrAuth || l.TLSMin != tls.VersionTLS12 || l.Limits.Size != 1<<20 || len(got.Listeners) != 2 {
		t.Errorf("%+v", got.Listeners)
	}
	if len(got.Clients) != 3 || got.Clients[0].Budget.PerHour != 5 || len(got.Clients[0].Networks) != 0 || got.Clients[2].Name != "192.0.2.17" || got.Clients[2].Senders[0].String() != "noreply@contoso.com" {
		t.Errorf("%+v", got.Clients)
	}
	if got.Hostname != f.Hostname || got.UsersFile != f.UsersFile || len(got.Senders) != 1 || len(p.Users) != 0 {
		t.Errorf("%s", p.Text)
	}
	if len(p.Notes) < 2 || !strings.Contains(p.Notes[0], `whose client is in the file already`) || !strings.Contains(p.Notes[1], "has the policy ip-or-auth now") {
		t.Errorf("%q", p.Notes)
	}
}

// TestWhatIsInPlaceIsNotProposedAgain: with the file that was made, the same clients make
// the same file.
func TestWhatIsInPlaceIsNotProposedAgain(t *testing.T) {
	visits := []event.Visit{visit("192.0.2.17", "", "scan@contoso.com"), visit("10.0.0.4", "", "nas@contoso.com")}
	first, f := propose(t, observation.ProposeOptions{}, visits...)
	if second, _ := propose(t, observation.ProposeOptions{File: f}, visits...); len(second.Notes) != 0 || len(f.Clients) != 2 || strings.Count(second.Text, "networks:") != 2 {
		t.Errorf("%q\n%s\nafter\n%s", second.Notes, second.Text, first.Text)
	}
}

func TestNothingSeenIsAnEmptyFile(t *testing.T) {
	p, err := observation.Propose(&observation.Seen{}, observation.ProposeOptions{})
	if err != nil || p.Text != "" {
		t.Errorf("%q, %v", p.Text, err)
	}
}

// FuzzPropose: whatever clients say, what is made of it holds.
func FuzzPropose(f *testing.F) {
	f.Add("10.0.0.1", "erp", "a@contoso.com", "x", "contoso.com", uint16(0))
	f.Add("203.0.113.4", "", "", "", "", uint16(tls.VersionTLS11))
	f.Add("::1", "a b", "root", "[::1]", "[1.2.3.4]", uint16(tls.VersionTLS13))
	f.Fuzz(func(t *testing.T, place, user, sender, hello, domain string, version uint16) {
		a, err := netip.ParseAddr(place)
		if err != nil || a.IsMulticast() {
			return
		}
		seen := &observation.Seen{}
		for _, who := range []string{user, ""} {
			seen.Clients = append(seen.Clients, observation.Client{
				User: who, Places: []string{a.String()}, Hellos: []string{hello}, Senders: []string{sender}, Authors: []string{sender}, Domains: []string{domain}, Learned: true, Messages: 1,
				Listeners: []observation.Visited{{Address: "starttls://0.0.0.0:25", Oldest: relayfile.TLSVersion(tls.VersionTLS10 + version%4), SignedIn: who != "", InClear: who != ""}},
			})
		}
		if user == "" {
			seen.Clients = seen.Clients[:1]
		}
		p, err := observation.Propose(seen, observation.ProposeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := relayfile.Parse([]byte(p.Text)); err != nil && p.Text != "" {
			t.Errorf("%v\n%s", err, p.Text)
		}
	})
}

// What a relay that learns would write again is not forgotten meanwhile.
func TestForgetWhileARelayLearns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "observed.json")
	o, err := observation.Open(t.Context(), observation.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := observation.Forget(path); !errors.Is(err, observation.ErrLearning) {
		t.Errorf("forgotten: %v", err)
	}
	if _, err := observation.Open(t.Context(), observation.Options{Path: path}); !errors.Is(err, observation.ErrLearning) {
		t.Errorf("a second one learns: %v", err)
	}
	o.Close()
	if err := observation.Forget(path); err != nil {
		t.Error(err)
	}
}
