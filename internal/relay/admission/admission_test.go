package admission_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// TestTruthTable has every row. A change of one is a change of who may submit.
func TestTruthTable(t *testing.T) {
	const want = `
ip           | of no client | none                                 | refused: not allowed here           | no
ip           | of no client | of no client                         | refused: not allowed here           | no
ip           | of no client | of a client that has another address | refused: not allowed here           | no
ip           | of a client  | none                                 | the client of the address           | no
ip           | of a client  | of no client                         | the client of the address           | no
ip           | of a client  | of a client that has another address | the client of the address           | no
ip           | of a client  | of a client that has this address    | the client of the address           | no
auth         | of no client | none                                 | refused: has to sign in             | yes
auth         | of no client | of no client                         | refused: user without a client      | yes
auth         | of no client | of a client that has another address | the client of the user              | yes
auth         | of a client  | none                                 | refused: has to sign in             | yes
auth         | of a client  | of no client                         | refused: user without a client      | yes
auth         | of a client  | of a client that has another address | the client of the user              | yes
auth         | of a client  | of a client that has this address    | the client of the user              | yes
ip-or-auth   | of no client | none                                 | refused: has to sign in             | yes
ip-or-auth   | of no client | of no client                         | refused: user without a client      | yes
ip-or-auth   | of no client | of a client that has another address | the client of the user              | yes
ip-or-auth   | of a client  | none                                 | the client of the address           | yes
ip-or-auth   | of a client  | of no client                         | the client of the address           | yes
ip-or-auth   | of a client  | of a client that has another address | the client of the user              | yes
ip-or-auth   | of a client  | of a client that has this address    | the client of the user              | yes
ip-and-auth  | of no client | none                                 | refused: not allowed here           | no
ip-and-auth  | of no client | of no client                         | refused: not allowed here           | no
ip-and-auth  | of no client | of a client that has another address | refused: wrong address for the user | no
ip-and-auth  | of a client  | none                                 | refused: has to sign in             | yes
ip-and-auth  | of a client  | of no client                         | refused: user without a client      | yes
ip-and-auth  | of a client  | of a client that has another address | refused: wrong address for the user | yes
ip-and-auth  | of a client  | of a client that has this address    | the client of the user              | yes
`
	var got strings.Builder
	for _, row := range admission.Rows() {
		w := row.Words()
		fmt.Fprintf(&got, "\n%-12s | %-12s | %-36s | %-35s | %s", w[0], w[1], w[2], w[3], w[4])
	}
	if got.String()+"\n" != want {
		t.Errorf("%s\nwant%s", got.String(), want)
	}
}

func TestARefusalHasAReasonAndAnAdmissionHasNone(t *testing.T) {
	seen := map[admission.Reason]bool{"": true}
	for _, row := range admission.Rows() {
		if v := row.Verdict; (v.By == admission.ByNothing) != (v.Reason != "") {
			t.Errorf("%+v", row)
		}
		seen[row.Verdict.Reason] = true
	}
	if len(seen) != len(admission.Reasons())+1 {
		t.Errorf("%v of %v", seen, admission.Reasons())
	}
	if v := admission.Decide("", admission.Known, admission.UserAtHome); v.By != admission.ByNothing || v.OffersAuth {
		t.Errorf("no policy admits: %+v", v)
	}
}

// parse reads a settings file that holds.
func parse(t *testing.T, text string) *relayfile.File {
	t.Helper()
	f, err := relayfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const office = `
users_file: u
listeners:
  - {address: "starttls://0.0.0.0:25", policy: ip}
  - {address: "starttls://0.0.0.0:26", policy: auth}
  - {address: "starttls://0.0.0.0:27", policy: ip-or-auth}
  - {address: "starttls://0.0.0.0:28", policy: ip-and-auth}
  - {address: "unix:///x"}
  - {address: "smtp://0.0.0.0:30", policy: ip-or-auth}
clients:
  - {name: lan, networks: [10.0.0.0/24, "fd00::/64", "fe80::/64"]}
  - {name: scanner, networks: [10.0.0.17], user: scan, uids: [33]}
  - {name: erp, user: erp}
`

func TestThePeerBecomesItsClient(t *testing.T) {
	f := parse(t, office)
	table := admission.New(f)
	for _, c := range []struct {
		listener   int
		addr, user string
		want       string
	}{
		{0, "10.0.0.5", "", "lan"},
		{0, "10.0.0.17", "", "scanner"}, // the smaller network
		{0, "::ffff:10.0.0.17", "", "scanner"},
		{0, "fe80::1%eth0", "", "lan"},
		{0, "fd00::5", "", "lan"},
		{0, "10.0.1.1", "", "10.0.1.1 belongs to no client, and may not submit here"},
		{0, "::ffff:10.0.1.1", "", "10.0.1.1 belongs to no client, and may not submit here"},
		{1, "203.0.113.5", "erp", "erp"},
		{1, "10.0.0.5", "", "10.0.0.5 has to sign in (AUTH) before it may submit"},
		{1, "10.0.0.5", "other", `the user "other" belongs to no client`},
		{2, "10.0.0.5", "erp", "erp"},
		{2, "10.0.0.5", "", "lan"},
		{3, "10.0.0.17", "scan", "scanner"},
		{3, "10.0.0.5", "scan", `10.0.0.5 is not in the networks of client scanner, whose user is "scan"`},
		{3, "10.0.0.5", "erp", `10.0.0.5 is not in the networks of client erp, whose user is "erp"`},
		{3, "203.0.113.5", "", "203.0.113.5 belongs to no client, and may not submit here"},
		{4, "", "", "scanner"},
		{5, "203.0.113.5", "", "203.0.113.5 belongs to no client, and may not submit here"}, // it has no way to sign in
	} {
		p := admission.Peer{User: c.user, UID: 33}
		if p.Unix = c.addr == ""; !p.Unix {
			p.Addr = netip.MustParseAddr(c.addr)
		}
		client, refusal := table.Admit(&f.Listeners[c.listener], p)
		got := ""
		switch {
		case (client == nil) == (refusal == nil):
			t.Errorf("%+v: %v and %v", c, client, refusal)
			continue
		case client != nil:
			got = client.Name
		default:
			got = refusal.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if c, _ := table.Admit(&f.Listeners[0], admission.Peer{UID: 33}); c != nil {
		t.Errorf("a peer without an address is %s", c.Name)
	}
	if _, refusal := table.Admit(&f.Listeners[4], admission.Peer{Unix: true, UID: 34}); refusal == nil || refusal.Error() != "uid 34 belongs to no client, and may not submit here" {
		t.Errorf("%v", refusal)
	}
}

func TestAuthIsOfferedWhereItHelps(t *testing.T) {
	f := parse(t, office)
	table := admission.New(f)
	for addr, want := range map[string][]bool{
		"10.0.0.5":    {false, true, true, true, false, false},
		"203.0.113.5": {false, true, true, false, false, false},
	} {
		for i := range f.Listeners {
			if got := table.OffersAuth(&f.Listeners[i], admission.Peer{Addr: netip.MustParseAddr(addr)}); got != want[i] {
				t.Errorf("%s by listener %d: %v", addr, i, got)
			}
		}
	}
}

// TestTheFileAndTheTableAgree: a client that the file's check says some listener admits
// gets through by it, from the first address and with the user that it has; no one else
// is admitted as that client.
func TestTheFileAndTheTableAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &relayfile.File{}
		for _, policy := range relayfile.Policies() {
			f.Listeners = append(f.Listeners, relayfile.Listener{Policy: policy, Address: relayfile.Endpoint{Scheme: relayfile.SchemeSMTPS, Addr: netip.MustParseAddrPort("0.0.0.0:1")}})
		}
		for i := range rapid.IntRange(1, 6).Draw(t, "clients") {
			c := relayfile.Client{Name: fmt.Sprint(i)}
			if rapid.Bool().Draw(t, "user") {
				c.User = fmt.Sprint("u", i)
			}
			if rapid.Bool().Draw(t, "network") {
				base := netip.AddrFrom4([4]byte{10, 0, byte(i), byte(rapid.IntRange(0, 255).Draw(t, "octet"))})
				n, err := base.Prefix(rapid.IntRange(8, 32).Draw(t, "bits"))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(f.Clients, func(o relayfile.Client) bool { return slices.Contains(o.Networks, n) }) {
					c.Networks = relayfile.Networks{n}
				}
			}
			f.Clients = append(f.Clients, c)
		}
		table := admission.New(f)
		p := admission.Peer{Addr: netip.AddrFrom4([4]byte{10, 0, byte(rapid.IntRange(0, 7).Draw(t, "third")), byte(rapid.IntRange(0, 255).Draw(t, "fourth"))})}
		p.User = rapid.SampledFrom([]string{"", "u0", "u1", "u2", "other"}).Draw(t, "who")
		for i := range f.Listeners {
			l := &f.Listeners[i]
			c, refusal := table.Admit(l, p)
			if refusal != nil {
				continue
			}
			inNetwork, isUser := c.Networks.Contain(p.Addr), c.User != "" && c.User == p.User
			holds := map[relayfile.Policy]bool{
				relayfile.PolicyIP: inNetwork, relayfile.PolicyAuth: isUser, relayfile.PolicyIPOrAuth: inNetwork || isUser, relayfile.PolicyIPAndAuth: inNetwork && isUser,
			}[l.Policy]
			if !holds || !l.Admits(c) {
				t.Errorf("%s admits %+v as %+v", l.Policy, p, c)
			}
			for _, other := range f.Clients {
				narrower := other.Networks.Contain(p.Addr) && other.Networks[0].Bits() > narrowest(c)
				if l.Policy == relayfile.PolicyIP && narrower {
					t.Errorf("%+v is %+v, not %+v", p, other, c)
				}
			}
		}
		checkReached(t, f, table)
	})
}

func narrowest(c *relayfile.Client) int {
	if len(c.Networks) == 0 {
		return -1
	}
	return c.Networks[0].Bits()
}

// checkReached lets each client come as it is written, unless a smaller network of
// another is in the way.
func checkReached(t *rapid.T, f *relayfile.File, table *admission.Table) {
	for i := range f.Clients {
		c := &f.Clients[i]
		p := admission.Peer{Addr: netip.MustParseAddr("203.0.113.5"), User: c.User}
		if len(c.Networks) > 0 {
			p.Addr = c.Networks[0].Addr()
		}
		for j := range f.Listeners {
			l := &f.Listeners[j]
			byUser := c.User != "" && l.Policy != relayfile.PolicyIP
			if !l.Admits(c) || !byUser && table.At(p) != c {
				continue
			}
			if got, refusal := table.Admit(l, p); got != c {
				t.Errorf("%s refuses %+v: %v", l.Policy, c, refusal)
			}
		}
	}
}

func TestSendersAndRecipientsAreThoseOfTheFile(t *testing.T) {
	f := parse(t, `
users_file: u
listeners: [{address: "smtps://0.0.0.0", policy: auth}]
clients:
  - {name: a, user: a}
  - {name: b, user: b, senders: [Scanner@contoso.com, "*@bücher.example"], recipient_domains: [Contoso.com, bücher.example]}
`)
	for text, want := range map[string][2]bool{ // may b send from it, write to it
		"scanner@CONTOSO.com":           {true, true},
		"other@contoso.com":             {false, true},
		"x@sub.contoso.com":             {false, false},
		"x@bücher.example":              {true, true},
		"x@XN--BCHER-KVA.example":       {true, true},
		"scanner@contoso.com.evil.test": {false, false},
	} {
		a, err := address.Parse("", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{admission.MaySend(&f.Clients[1], a), admission.MayWriteTo(&f.Clients[1], a)}; got != want {
			t.Errorf("%s: %v", text, got)
		}
		if !admission.MaySend(&f.Clients[0], a) || !admission.MayWriteTo(&f.Clients[0], a) {
			t.Errorf("%s is refused to a client without limits", text)
		}
	}
	local, err := address.ParseLenient("", "root")
	if err != nil || admission.MayWriteTo(&f.Clients[1], local[0]) || admission.MaySend(&f.Clients[1], local[0]) {
		t.Errorf("a name without a domain is at none: %v", err)
	}
}
