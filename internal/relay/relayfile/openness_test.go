package relayfile_test

import (
	"fmt"
	"strings"
	"testing"
)

// with is a file with one client on listeners with the policy.
func with(address, policy, client string) string {
	return fmt.Sprintf("users_file: u\nlisteners: [{address: '%s', policy: %s, auth_without_tls: true}]\nclients:\n  - {name: a, %s}\n", address, policy, client)
}

const wide = "smtp://0.0.0.0:25"

func TestAnOpenRelayIsRefusedAndTheLineNamed(t *testing.T) {
	for _, text := range []string{
		with(wide, "ip", "networks: [0.0.0.0/0]"),
		with(wide, "ip", `networks: ["::/0"], senders: [a@contoso.com]`),
		with(wide, "ip", `networks: ["::ffff:0:0/96"], senders: [a@contoso.com]`),
		with(wide, "ip-or-auth", "networks: [0.0.0.0/0], user: u"),
		with("smtp://127.0.0.1:25", "ip", "networks: [0.0.0.0/0]"), // until the address is changed
		with(wide, "ip", "networks: [0.0.0.0/1, 128.0.0.0/1], senders: [a@contoso.com]"),
		with(wide, "ip", "networks: [203.0.0.0/15], senders: [a@contoso.com]"),
		with(wide, "ip", "networks: [10.0.0.0/7], senders: [a@contoso.com]"),
		with(wide, "ip", "networks: [203.0.113.5]"),
		with(wide, "ip", `networks: ["::ffff:203.0.113.5"]`),
		with(wide, "ip-or-auth", "networks: [203.0.113.0/24], user: u"),
		with(wide, "ip", `networks: ["2001:db8::/32"], senders: [a@contoso.com]`),
		with(wide, "ip", `networks: ["2000::/3"], senders: [a@contoso.com]`),
		with(wide, "ip", `networks: ["64:ff9b::/96"], senders: [a@contoso.com]`),
		with(wide, "ip", `networks: ["64:ff9b::/64"], senders: [a@contoso.com]`),
		with(wide, "ip", `networks: ["64:ff9b:1::/48"], senders: [a@contoso.com]`),
		with(wide, "ip", `networks: ["64:ff9b:1:5::/96"], senders: [a@contoso.com]`),
		with(wide, "ip", `networks: ["2002::/16"], senders: [a@contoso.com]`),
		with("starttls://[::]:587", "ip", "networks: [203.0.113.5]"),
	} {
		wrong, _ := problems(t, text)
		if len(wrong) == 0 || !strings.HasPrefix(wrong[0], "line 4: clients[0].networks ") || !strings.Contains(wrong[0], "makes this an open relay: ") {
			t.Errorf("%q\n%s", wrong, text)
		}
	}
}

func TestProxiesThatAnyoneCouldBeAreRefused(t *testing.T) {
	for proxies, want := range map[string]string{
		"0.0.0.0/0":       "open relay",
		"'::/0'":          "open relay",
		"203.0.113.0/24":  "open relay",
		"10.0.0.0/8":      "warning",
		"10.0.0.0/24":     "",
		"203.0.113.5":     "",
		"127.0.0.0/8":     "",
		"'2001:db8::5'":   "",
		"'2001:db8::/40'": "open relay",
	} {
		wrong, unwise := problems(t, "listeners: [{address: 'smtp://10.0.0.1:25', policy: ip,\n  proxy_protocol_from: ["+proxies+"]}]\nclients: [{name: a, networks: [10.0.0.9]}]\n")
		got := ""
		switch {
		case len(wrong) == 1 && strings.HasPrefix(wrong[0], "line 2: listeners[0].proxy_protocol_from ") && strings.Contains(wrong[0], "makes this an open relay"):
			got = "open relay"
		case len(wrong) > 0:
			got = wrong[0]
		case len(unwise) > 0:
			got = "warning"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", proxies, got, want)
		}
	}
}

func TestAClientWithNothingIsEveryone(t *testing.T) {
	for _, policy := range []string{"ip", "auth", "ip-or-auth", "ip-and-auth"} {
		wrong, _ := problems(t, with("smtp://127.0.0.1:25", policy, "senders: [a@contoso.com]"))
		if len(wrong) == 0 || wrong[0] != "line 4: clients[0]: names no one, and so everyone: give it networks, a user or uids" {
			t.Errorf("%s: %q", policy, wrong)
		}
	}
}

func TestWhatOfficesHaveIsTaken(t *testing.T) {
	for _, text := range []string{
		with(wide, "ip", "networks: [10.0.0.0/24, 192.168.1.17, 100.64.0.5, 100.127.255.254, 'fd00:1::/64', 169.254.7.7]"),
		with(wide, "ip", "networks: [10.0.0.0/8], senders: [a@contoso.com]"),
		with(wide, "ip", "networks: [203.0.113.5], senders: ['*@contoso.com']"), // an office behind one address
		with(wide, "ip", "networks: [203.0.113.0/24], senders: [a@contoso.com]"),
		with(wide, "ip", "networks: ['2001:db8:1::/48'], senders: [a@contoso.com]"),
		with(wide, "ip", "networks: ['64:ff9b::203.0.113.5'], senders: [a@contoso.com]"),
		with(wide, "ip-and-auth", "networks: [203.0.113.5], user: u"),
		with(wide, "auth", "user: u"),
		with("smtp://127.0.0.1:25", "ip", "networks: [127.0.0.0/8, '::1']"),
	} {
		wrong, unwise := problems(t, text)
		unwise = withoutClear(unwise)
		if len(wrong)+len(unwise) > 0 {
			t.Errorf("%q, %q\n%s", wrong, unwise, text)
		}
	}
}

// withoutClear leaves out the warning that with makes.
func withoutClear(warnings []string) (rest []string) {
	for _, w := range warnings {
		if !strings.Contains(w, "travel in the clear") {
			rest = append(rest, w)
		}
	}
	return rest
}

func TestWhatIsUnwiseIsAWarningWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		with(wide, "ip", "networks: [10.0.0.0/8]"):                                    `line 4: clients[0].networks "10.0.0.0/8": is more than one office, and each host in it may use any sender: write the senders of the client, or smaller networks`,
		with(wide, "ip", "networks: [203.0.0.0/16], senders: [a@contoso.com]"):        `line 4: clients[0].networks "203.0.0.0/16": is a large part of the internet, and the address alone admits: is all of it yours?`,
		with(wide, "ip", "networks: [203.0.112.0/23], senders: [a@contoso.com]"):      `line 4: clients[0].networks "203.0.112.0/23": is a large part of the internet, and the address alone admits: is all of it yours?`,
		with(wide, "ip", "networks: [172.17.0.1]"):                                    `line 4: clients[0].networks "172.17.0.1": has the addresses that containers have: when the relay runs in one, or is reached through one, every client may come from its gateway's address, strangers included`,
		with(wide, "ip-and-auth", "networks: [0.0.0.0/0], user: u"):                   `line 4: clients[0].networks "0.0.0.0/0": is every address there is: with ip-and-auth it asks for no more than auth does`,
		with(wide, "auth", "networks: [10.0.0.7], user: u"):                           `line 4: clients[0].networks: has no effect: no listener has a policy that asks for it`,
		with(wide, "ip", "networks: [10.0.0.7], user: u"):                             `line 4: clients[0].user: has no effect: no listener has a policy that asks for it`,
		with(wide, "auth", "user: u, budget: {per_hour: 10, per_day: 5}"):             `line 4: clients[0].budget.per_hour: is more than per_day, and so has no effect`,
		with(wide, "auth", "user: u"):                                                 `line 2: listeners[0].auth_without_tls: lets passwords travel in the clear: everyone on the network between can read and use them`,
		head + "clients: []":                                                          ``,
		"listeners: [{address: 'starttls://10.0.0.1', policy: auth, tls_min: '1.0'}]": `line 1: listeners[0].tls_min: permits TLS 1.0 and its old cipher suites, which someone on the network between may break: passwords and mail are then as good as in the clear; give the devices that need it a listener of their own`,
		"listeners: [{address: 'smtp://10.0.0.1', policy: ip}]":                       `line 1: listeners[0]: admits none of the clients`,
		"listeners: [{address: 'smtp://10.0.0.1', policy: ip-or-auth}]":               `line 1: listeners[0].policy: no client can sign in here: AUTH is taken after TLS alone, and smtp:// has none; use starttls:// or smtps://, or, where everyone on the network may see the passwords, auth_without_tls: true`,
	} {
		wrong, unwise := problems(t, text)
		if want == "" {
			continue // an empty list is a problem
		}
		if len(wrong) > 0 || !contains(unwise, want) {
			t.Errorf("%q, %q, want %s\n%s", wrong, unwise, want, text)
		}
	}
}

func TestListenersThatCannotWorkAreRefused(t *testing.T) {
	for listener, want := range map[string]string{
		"address: smtp://10.0.0.1":                                                    "listeners[0]: has no policy, which a listener that other hosts can reach must have: ip, auth, ip-or-auth, ip-and-auth",
		"address: smtp://127.0.0.1, proxy_protocol_from: [127.0.0.1]":                 "listeners[0]: has no policy, which a listener that other hosts can reach must have: ip, auth, ip-or-auth, ip-and-auth",
		"address: smtp://10.0.0.1, policy: auth":                                      "listeners[0].policy: no client can sign in here: AUTH is taken after TLS alone, and smtp:// has none; use starttls:// or smtps://, or, where everyone on the network may see the passwords, auth_without_tls: true",
		"address: smtp://127.0.0.1, certificate: c, key: k":                           "listeners[0].certificate: has no use: smtp:// has no TLS; use starttls:// or smtps://",
		"address: smtp://127.0.0.1, tls_min: '1.2'":                                   "listeners[0].tls_min: has no use: smtp:// has no TLS; use starttls:// or smtps://",
		"address: smtps://127.0.0.1, certificate: c":                                  "listeners[0].certificate: needs key, the file of its private key; leave both out for a self-made certificate",
		"address: smtps://127.0.0.1, key: c":                                          "listeners[0].key: needs certificate, the file of the chain; leave both out for a self-made certificate",
		"address: smtps://127.0.0.1, tls_min: 1":                                      `listeners[0].tls_min "1": must be one of 1.0, 1.1, 1.2, 1.3`,
		"address: unix:///run/x, proxy_protocol_from: [10.0.0.1]":                     "listeners[0].proxy_protocol_from: has no use on a Unix socket",
		"address: unix://run/x":                                                       `listeners[0].address "unix://run/x": must name the socket by a full path: unix:///run/smtpsend/relay.sock`,
		"address: unix:///run/../x":                                                   `listeners[0].address "unix:///run/../x": must name the socket by a full path: unix:///run/smtpsend/relay.sock`,
		"address: unix:///" + strings.Repeat("x", 103):                                `listeners[0].address "unix:///` + strings.Repeat("x", 103) + `": has a path of 104 octets, at most 103`,
		"address: 'smtp://:25'":                                                       `listeners[0].address "smtp://:25": must say where to listen: 127.0.0.1 for this host alone, 0.0.0.0 for every address of IPv4, [::] for every one of IPv6`,
		"address: smtp://*":                                                           `listeners[0].address "smtp://*": must say where to listen: 127.0.0.1 for this host alone, 0.0.0.0 for every address of IPv4, [::] for every one of IPv6`,
		"address: 'smtp://::1'":                                                       `listeners[0].address "smtp://::1": needs brackets around an IPv6 address: [::1]`,
		"address: smtp://relay.contoso.com:25":                                        `listeners[0].address "smtp://relay.contoso.com:25": must have an IP address of this host, or localhost`,
		"address: smtp://127.0.0.1:70000":                                             `listeners[0].address "smtp://127.0.0.1:70000": has a port that is not a number up to 65535: "70000"`,
		"address: smtp://127.0.0.1/":                                                  `listeners[0].address "smtp://127.0.0.1/": must have an IP address of this host, or localhost`,
		"address: smtp://127.0.0.1, socket: 'a:b'":                                    `listeners[0].socket "a:b": must be at most 255 characters without a colon, as FileDescriptorName= has it`,
		"address: smtp://127.0.0.1}, {address: 'starttls://127.0.0.1:25'":             "listeners[1].address: is that of the listener in line 1",
		"address: 'smtp://127.0.0.1:0'}, {address: 'starttls://127.0.0.1:0'":          "listeners[1].address: is that of the listener in line 1", // a reload could not tell them apart
		"address: smtp://127.0.0.1, socket: a}, {address: 'smtps://[::1]', socket: a": "listeners[1].socket: is that of the listener in line 1",
	} {
		wrong, _ := problems(t, "listeners: [{"+listener+"}]")
		if !contains(wrong, "line 1: "+want) {
			t.Errorf("%s: %q, want %s", listener, wrong, want)
		}
	}
}

func TestClientsThatCannotBeToldApartAreRefused(t *testing.T) {
	const two = "users_file: u\nlisteners: [{address: 'smtp://10.0.0.1', policy: %s, auth_without_tls: true}, {address: 'unix:///x', policy: %s}]\nclients:\n  - {name: a, user: a, %s}\n  - {name: b, user: b, %s}\n"
	for _, c := range []struct{ policy, a, b, want string }{
		{"ip", "networks: [10.0.0.0/24]", "networks: [10.0.0.0/24]", `line 5: clients[1].networks "10.0.0.0/24": is that of client "a" in line 4, too, and the address alone would have to say which it is: take it out of one, or give every listener the policy auth or ip-and-auth`},
		{"ip-or-auth", "uids: [33]", "uids: [33]", `line 5: clients[1].uids "33": is that of client "a" in line 4, too, and the uid alone would have to say which it is: take it out of one, or give every listener the policy auth or ip-and-auth`},
		{"ip", "networks: [10.0.0.0/24]", "networks: [10.0.0.5]", ""},                            // the smaller one counts
		{"ip-and-auth", "networks: [203.0.113.5]", "networks: [203.0.113.5]", ""},                // ten devices behind one address
		{"auth", "networks: [203.0.113.5], uids: [1]", "networks: [203.0.113.5], uids: [1]", ""}, // the user says which
	} {
		text := fmt.Sprintf(two, c.policy, c.policy, c.a, c.b)
		wrong, _ := problems(t, text)
		if got := strings.Join(wrong, "\n"); got != c.want {
			t.Errorf("%s\n%s\nwant %s", text, got, c.want)
		}
	}
	wrong, _ := problems(t, head+"clients:\n  - {name: A, user: u}\n  - {name: a, user: u}\n")
	compareLines(t, wrong, `
line 5: clients[1].name: is that of the client in line 4
line 5: clients[1].user: is that of client "A" in line 4
`, true)
}

func TestAClientThatNoListenerAdmitsIsRefused(t *testing.T) {
	for _, c := range []struct {
		address, policy, client string
		admitted                bool
	}{
		{wide, "auth", "networks: [10.0.0.7]", false},
		{wide, "ip", "user: u", false},
		{wide, "ip-and-auth", "user: u", false},
		{wide, "ip-and-auth", "networks: [10.0.0.7]", false},
		{wide, "ip", "uids: [33]", false},
		{"smtp://127.0.0.1:25", "ip", "networks: [10.0.0.7]", false},
		{"unix:///x", "ip", "networks: [127.0.0.1]", false},
		{"smtp://127.0.0.1:25", "ip", "networks: ['::1']", true},
		{"smtp://127.0.0.1:25", "auth", "user: u", true},
		{"unix:///x", "ip-and-auth", "uids: [33], user: u", true},
	} {
		text := with(c.address, c.policy, c.client)
		if c.address == "unix:///x" {
			text = strings.ReplaceAll(text, ", auth_without_tls: true", "")
		}
		wrong, _ := problems(t, text)
		refused := len(wrong) == 1 && strings.HasPrefix(wrong[0], "line 4: clients[0]: no listener admits it: ")
		if refused == c.admitted || c.admitted && len(wrong) > 0 {
			t.Errorf("%q\n%s", wrong, text)
		}
	}
	if wrong, _ := problems(t, "listeners: [{address: 'smtp://127.0.0.1'}]\nclients: [{name: a, networks: [127.0.0.1], user: u}]"); !contains(wrong, "line 2: clients[0].user: needs users_file, which has the password") {
		t.Errorf("%q", wrong)
	}
}

func TestARuleThatIsNeverReachedIsRefused(t *testing.T) {
	wrong, _ := problems(t, head+`senders:
  - {from: "*@contoso.com", mailbox: a@contoso.com}
  - {from: "b@contoso.com", mailbox: a@contoso.com}
  - {from: "<>", mailbox: a@contoso.com}
  - {from: "c@old.example", mailbox: a@contoso.com}
  - {from: "C@OLD.example", mailbox: a@contoso.com}
  - {from: "*@old.example", mailbox: a@contoso.com}
  - {from: <>, mailbox: a@contoso.com}
`)
	compareLines(t, wrong, `
line 5: senders[1].from: is never reached: line 4 matches before it; put the rule for the address before that for the domain
line 8: senders[4].from: is never reached: line 7 matches before it; put the rule for the address before that for the domain
line 10: senders[6].from: is never reached: line 6 matches before it; put the rule for the address before that for the domain
`, true)
}
