package relayfile_test

import (
	"errors"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// mustParse reads a file that holds.
func mustParse(t *testing.T, text string) *relayfile.File {
	t.Helper()
	f, err := relayfile.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return f
}

// problems are what is wrong with a file, in its order.
func problems(t *testing.T, text string) (wrong, unwise []string) {
	t.Helper()
	f, err := relayfile.Parse([]byte(text))
	var all *relayfile.Problems
	var warnings []relayfile.Problem
	switch {
	case errors.As(err, &all):
		warnings = all.Warnings
		for _, p := range all.List {
			wrong = append(wrong, p.String())
		}
	case err != nil:
		t.Fatalf("%T: %v", err, err)
	default:
		warnings = f.Warnings
	}
	for _, p := range warnings {
		unwise = append(unwise, p.String())
	}
	return wrong, unwise
}

func TestTheExampleIsSafeAndHasEveryKey(t *testing.T) {
	f := mustParse(t, relayfile.Example())
	for _, w := range f.Warnings {
		t.Errorf("warning: %s", w)
	}
	for _, keys := range []any{relayfile.File{}, relayfile.Listener{}, relayfile.Limits{}, relayfile.Client{}, relayfile.Budget{}, relayfile.SenderRule{}} {
		typ := reflect.TypeOf(keys)
		for i := range typ.NumField() {
			key := typ.Field(i).Tag.Get("yaml")
			if key != "-" && !strings.Contains(relayfile.Example(), key+":") {
				t.Errorf("the example has no %s of %s", key, typ.Name())
			}
		}
	}
	for line := range strings.Lines(relayfile.Example()) {
		if n := len(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	f := mustParse(t, `
listeners:
  - address: smtp://localhost
  - address: smtps://[::1]
  - {address: "unix:///run/x.sock", limits: {idle: 90s, size: 5000000}}
clients: [{name: here, networks: [127.0.0.0/8, "::1"], uids: [33]}]
`)
	l := f.Listeners[0]
	if l.Address.String() != "smtp://127.0.0.1:25" || l.Policy != relayfile.PolicyIP || !l.AuthInClear() || l.OffersTLS() || l.Limits != relayfile.DefaultLimits() {
		t.Errorf("%+v", l)
	}
	if l := f.Listeners[1]; l.Address.String() != "smtps://[::1]:465" || l.TLSMin.String() != "1.2" || l.Line != 4 {
		t.Errorf("%+v", l)
	}
	want := relayfile.DefaultLimits()
	want.Idle, want.Size = 90*time.Second, 5_000_000
	if l := f.Listeners[2]; l.Limits != want || !l.Local() || l.Address.Path != "/run/x.sock" {
		t.Errorf("%+v", l)
	}
}

func TestValuesAreTextsAsTheyAreWritten(t *testing.T) {
	f := mustParse(t, `
users_file: u
domain: Bücher.example
default_mailbox: noreply@BÜCHER.example
listeners: [{address: "starttls://192.0.2.10:0", policy: ip-or-auth, tls_min: 1.3, limits: {size: 35 MB}}]
clients:
  - name: 0123
    user: 1.20
    networks: ["::ffff:192.0.2.17", "::ffff:192.0.2.32/124"]
    senders: ["*@Bücher.example", Scanner@Contoso.com]
    recipient_domains: [BÜCHER.example]
    display_name: yes
    budget: {per_hour: 10, per_day: 100}
senders: [{from: <>, mailbox: a@contoso.com}]
`)
	if f.Domain != "xn--bcher-kva.example" || f.DefaultMailbox.Addr() != "noreply@xn--bcher-kva.example" {
		t.Errorf("%+v", f)
	}
	if l := f.Listeners[0]; l.TLSMin.String() != "1.3" || l.Limits.Size != 35<<20 || l.Address.Addr.Port() != 0 {
		t.Errorf("%+v", l)
	}
	c := f.Clients[0]
	if c.Name != "0123" || c.User != "1.20" || c.DisplayName != "yes" || c.Networks[0].String() != "192.0.2.17/32" || c.Networks[1].String() != "192.0.2.32/28" ||
		c.Senders[0].String() != "*@xn--bcher-kva.example" || c.Senders[1].String() != "scanner@contoso.com" || c.RecipientDomains[0] != "xn--bcher-kva.example" ||
		c.Budget != (relayfile.Budget{PerHour: 10, PerDay: 100}) {
		t.Errorf("%+v", c)
	}
	if !f.Senders[0].From.IsNull() {
		t.Errorf("%+v", f.Senders[0])
	}
}

// head is a file that holds, to which tests add what does not.
const head = "users_file: u\nlisteners: [{address: 'smtp://127.0.0.1:25', policy: ip-or-auth}]\n"

func TestEveryProblemIsReportedWithItsLine(t *testing.T) {
	wrong, _ := problems(t, `hostnam: x
domain:
listeners:
  - address: smpt://127.0.0.1:25
    polcy: ip
    limits: {size: 1 GB, idle: 5, connections: 0, recipients: 1001, Commands: 5}
  - address: 127.0.0.1:25
  - policy: ips
clients:
  - name: a b
    networks: [192.0.2.17/28, 300.1.1.1, 10.0.0.0/8, "fe80::1%eth0", 224.0.0.1, 10.0.0.0/8, "::ffff:0:0/95"]
    uids: [root, -1, 4294967295]
    senders: root
    recipient_domains: ["*.contoso.com", [x]]
    recipient_domains: [b]
    budget: 100
    force: yes
  - networks: []
    user: "a:b"
    mailbox: root
    senders: [root, "<>", "a@*", "scan*@contoso.com"]
    display_name: "a\nb"
    eight_bit: keeps
    tls-min: 1
senders:
  - from: root
  - mailbox: A <a@contoso.com>
`)
	want := `
line 1: hostnam: is not a key here; is hostname meant?
line 2: domain: has no value: leave the key out, or write one
line 4: listeners[0].address "smpt://127.0.0.1:25": must be one of smtp, starttls, smtps, unix; is smtp meant?
line 5: listeners[0].polcy: is not a key here; is policy meant?
line 6: listeners[0].limits.Commands: is not a key here; is commands meant?
line 6: listeners[0].limits.connections "0": must be a whole number from 1 to 100000
line 6: listeners[0].limits.idle "5": must be a time from 10s to 24h, such as 90s, 5m or 1h
line 6: listeners[0].limits.recipients "1001": must be a whole number from 1 to 1000
line 6: listeners[0].limits.size "1 GB": must be a size from 64 KB to 150 MB, such as 35 MB, or a number of octets
line 7: listeners[1].address "127.0.0.1:25": must begin with smtp://, starttls://, smtps:// or unix://
line 8: listeners[2].policy "ips": must be one of ip, auth, ip-or-auth, ip-and-auth; is ip meant?
line 8: listeners[2]: has no address
line 10: clients[0].name "a b": must be letters of ASCII, digits, ".", "_" and "-", at most 64
line 11: clients[0].networks[0] "192.0.2.17/28": is an address within a network: write 192.0.2.17 for the address, or 192.0.2.16/28 for the network
line 11: clients[0].networks[1] "300.1.1.1": is not an IP address or network, such as 192.0.2.17 or 192.0.2.32/28
line 11: clients[0].networks[3] "fe80::1%eth0": has an interface's name: write the address without it
line 11: clients[0].networks[4] "224.0.0.1": is multicast: no one comes from there
line 11: clients[0].networks[5] "10.0.0.0/8": is in this list twice, first in line 11
line 11: clients[0].networks[6] "::ffff:0:0/95": is an address within a network: write ::ffff:0.0.0.0 for the address, or ::fffe:0:0/95 for the network
line 12: clients[0].uids[0] "root": must be the number of a user, as id -u NAME prints it
line 12: clients[0].uids[1] "-1": must be the number of a user, as id -u NAME prints it
line 12: clients[0].uids[2] "4294967295": must be the number of a user, as id -u NAME prints it
line 13: clients[0].senders: must be a list, not one value
line 14: clients[0].recipient_domains[0] "*.contoso.com": '*' cannot be used in a domain
line 14: clients[0].recipient_domains[1]: must be one value, not a list
line 15: clients[0].recipient_domains: is written twice, first in line 14
line 16: clients[0].budget: must be a mapping of keys, not one value
line 17: clients[0].force "yes": must be true or false
line 18: clients[1].networks: is an empty list: leave the key out, or write an entry
line 18: clients[1]: has no name
line 19: clients[1].user "a:b": must be ASCII without blanks and colons
line 20: clients[1].mailbox "root": no @ and domain
line 21: clients[1].senders[0] "root": must be an address or *@domain; a sender without a domain is completed before it is looked for here
line 21: clients[1].senders[1] "<>": needs no permission: it becomes the mailbox's address
line 21: clients[1].senders[2] "a@*": '*' cannot be used in a domain
line 21: clients[1].senders[3] "scan*@contoso.com": has a * within the address: write a whole address, or *@domain
line 22: clients[1].display_name "a\nb": has more than one line, or a character that is not printed
line 23: clients[1].eight_bit "keeps": must be one of encode, keep; is keep meant?
line 24: clients[1].tls-min: is not a key here; these are: budget, display_name, eight_bit, force, mailbox, name, networks, recipient_domains, senders, uids, user
line 26: senders[0]: has no mailbox
line 26: senders[0].from "root": must be an address, *@domain or <>; a sender without a domain is completed before it is looked for here
line 27: senders[1]: has no from
line 27: senders[1].mailbox "A <a@contoso.com>": has a name: write the address alone
`
	compareLines(t, wrong, want, false)
}

// compareLines compares what is found with what is wanted, of one line in any order
// when loose is not set.
func compareLines(t *testing.T, got []string, want string, ordered bool) {
	t.Helper()
	wanted := strings.Split(strings.Trim(want, "\n"), "\n")
	for _, line := range wanted {
		if line != "" && !contains(got, line) {
			t.Errorf("missing: %s", line)
		}
	}
	for _, line := range got {
		if !contains(wanted, line) {
			t.Errorf("not wanted: %s", line)
		}
	}
	if ordered && strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("the order is\n%s", strings.Join(got, "\n"))
	}
}

func contains(list []string, line string) bool {
	for _, l := range list {
		if l == line {
			return true
		}
	}
	return false
}

func TestWhatIsNotAFileOfSettingsIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "is empty: it must have listeners",
		"# nothing\n":           "is empty: it must have listeners",
		"{}":                    "line 1: there are no listeners",
		"[]":                    "line 1: must be a mapping of keys, not a list",
		"null":                  "line 1: must be a mapping of keys, not nothing",
		"a: b: c":               "line 1: is not YAML: mapping values are not allowed in this context; look for tabs, indentation and missing quotes",
		"clients:\n\t- name: x": "line 2: is not YAML: found character that cannot start any token; look for tabs, indentation and missing quotes",
		head + "clients:\n  - name: x\n    user: x\n   mailbox: y\ndomain: x.com\n": "line 6: is not YAML: did not find expected '-' indicator; look for tabs, indentation and missing quotes",
		head + "domain: \"x.com\nhostname: y\n":                                     "line 3: is not YAML: found unexpected end of stream; look for tabs, indentation and missing quotes",
		head + "---\nclients: []":                                                   "line 3: begins a second document: the file must be one",
		"a: \xff":                                                                   "is not text in UTF-8",
		head + "<<: {domain: x}":                                                    "line 3: <<: is not read: write the keys out",
		head + "? [a]\n: b":                                                         "line 3: has a key that is a list",
		head + "domain: !!str x.com":                                                `line 3: domain "x.com": has a tag: write the value alone`,
		head + "domain: ' x.com'":                                                   `line 3: domain " x.com": is empty, or begins or ends with a blank`,
		head + "domain: *a":                                                         "line 3: is not YAML: unknown anchor 'a' referenced; look for tabs, indentation and missing quotes",
		head + "domain: lan":                                                        `line 3: domain "lan": is not a domain that Exchange Online could have`,
		head + "default_mailbox: a@nas":                                             `line 3: default_mailbox "a@nas": is not at a domain that Exchange Online could have`,
		head + "domain: &a [*a]":                                                    "line 3: domain: must be one value, not a list",
		head + "clients: &a [*a]":                                                   "line 3: clients[0]: must be a mapping of keys, not a list",
		strings.Repeat("#\n", 200_001):                                              "has more than 200000 lines, commas, colons and brackets (a line that begins with % counts as a thousand)",
	} {
		if wrong, _ := problems(t, text); !contains(wrong, want) {
			t.Errorf("%.60q: %q, want %s", text, wrong, want)
		}
	}
}

func TestAliasesAreReadAndBombsAreNot(t *testing.T) {
	f := mustParse(t, `
listeners: [{address: "smtp://10.0.0.1", policy: ip}]
clients:
  - {name: a, networks: [10.0.0.2], senders: &s [a@contoso.com]}
  - {name: b, networks: [10.0.0.3], senders: *s}
`)
	if len(f.Clients[1].Senders) != 1 {
		t.Errorf("%+v", f.Clients[1])
	}
	var bomb strings.Builder
	bomb.WriteString("x: &a [" + strings.Repeat("a@b.example,", 900) + "]\nclients:\n")
	for range 2000 {
		bomb.WriteString("- {name: a, senders: *a}\n")
	}
	wrong, _ := problems(t, bomb.String())
	if !strings.Contains(strings.Join(wrong, "\n"), "more problems") {
		t.Errorf("%d: %.300q", len(wrong), wrong)
	}
}

func TestWhatIsWrongIsNotCalledUnreachableToo(t *testing.T) {
	wrong, _ := problems(t, "listeners: [{address: 'smtp://10.0.0.1', policy: ip}]\nclients: [{name: a, uids: [1], networks: [x]}]\n")
	if len(wrong) != 1 {
		t.Errorf("%q", wrong)
	}
}

func TestNetworksContainAddressesHoweverTheyAreWritten(t *testing.T) {
	f := mustParse(t, "listeners: [{address: 'smtp://10.0.0.1', policy: ip}]\nclients: [{name: a, networks: [10.0.0.0/24, 'fe80::/64']}]\n")
	for text, want := range map[string]bool{"10.0.0.5": true, "::ffff:10.0.0.5": true, "fe80::1%eth0": true, "fe80::1": true, "10.0.1.5": false, "::ffff:10.0.1.5": false, "::10.0.0.5": false} {
		if f.Clients[0].Networks.Contain(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

// TestALongKeyIsNotRepeated: its length times the aliases would be gigabytes.
func TestALongKeyIsNotRepeated(t *testing.T) {
	text := "clients:\n- &a\n  ? " + strings.Repeat("k", 1_000_000) + "\n  : 1\n" + strings.Repeat("- *a\n", 4_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wrong, _ := problems(t, text)
	runtime.ReadMemStats(&after)
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 200 {
		t.Errorf("%d MiB are allocated", allocated)
	}
	if !strings.Contains(strings.Join(wrong, "\n"), "is the beginning of a key that is too long to be one") {
		t.Errorf("%.300q", wrong)
	}
}
