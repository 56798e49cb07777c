package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Names of the checks, in the order of the report.
const (
	nameSettings   = "settings"
	nameProxy      = "proxy"
	nameDNSToken   = "dns token"
	nameDNSSMTP    = "dns smtp"
	nameTCPToken   = "tcp token"
	nameTCPSMTP    = "tcp smtp"
	nameTLSToken   = "tls token"
	nameGreeting   = "greeting"
	nameEHLO       = "ehlo"
	nameTLSSMTP    = "tls smtp"
	nameEHLOTLS    = "ehlo tls"
	nameCredential = "credential"
	nameToken      = "token"
	nameClock      = "clock"
	nameClaims     = "claims"
	nameAuth       = "auth"
	nameMail       = "mail"
	nameRcpt       = "rcpt"
	nameMessage    = "message"
)

// families are the addresses of a host by family.
type families struct{ v4, v6 []netip.Addr }

// route is the way to both hosts: proxies, names and TCP connections.
type route struct {
	o      Options
	record *record

	tokenHost, tokenPort string
	tokenProxy           bool
	families             map[string]families // by host: which addresses there are
}

func newRoute(o Options, record *record) *route {
	host, port := hostAndPort(o.Token.TokenURL)
	return &route{o: o, record: record, tokenHost: host, tokenPort: port, families: map[string]families{}}
}

// proxies looks at the way out: which proxy, if any, is used for which host,
// and whether it answers.
func (r *route) proxies(ctx context.Context) {
	if r.record.failed(nameSettings) {
		return // nothing is known of a proxy
	}
	forToken := r.proxyOfToken()
	forSMTP := r.o.Session.Proxy
	r.tokenProxy = forToken != nil
	if forToken == nil && forSMTP == nil {
		return
	}
	c := Check{Name: nameProxy, Status: OK, Limit: r.o.Limit}
	started := time.Now()
	var seen []string
	for _, way := range []struct {
		host  string
		proxy *url.URL
		stage smtp.Stage
	}{{r.tokenHost, forToken, smtp.StageToken}, {r.o.Session.Host, forSMTP, smtp.StageDial}} {
		if way.proxy == nil {
			seen = append(seen, way.host+" without a proxy")
			continue
		}
		seen = append(seen, fmt.Sprintf("%s by %s", way.host, way.proxy.Redacted()))
		if err := r.reach(ctx, proxyAddress(way.proxy)); err != nil {
			c.Seen = fmt.Sprintf("%s: %v", way.proxy.Redacted(), err)
			c.Took = time.Since(started)
			r.record.add(r.record.broke(c, failure(way.stage, err)))
			return
		}
	}
	c.Seen, c.Took = strings.Join(seen, ", "), time.Since(started)
	r.record.add(c)
}

// reach makes a TCP connection and closes it.
func (r *route) reach(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.Limit)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// hostAndPort are those of the token endpoint's URL.
func hostAndPort(tokenURL string) (host, port string) {
	u, err := url.Parse(tokenURL)
	if err != nil {
		return "", "" // the settings' check has reported it
	}
	host, port = u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	return host, port
}

// proxyOfToken is the one that requests to the endpoint go by: the settings',
// else the environment's.
func (r *route) proxyOfToken() *url.URL {
	t := transport(r.o.Token)
	request, err := http.NewRequest(http.MethodGet, r.o.Token.TokenURL, nil)
	if t.Proxy == nil || err != nil {
		return nil
	}
	u, err := t.Proxy(request)
	if err != nil {
		return nil
	}
	return u
}

func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if port == "" {
		port = "1080" // RFC 1928
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// names looks both hosts up, unless a proxy does that.
func (r *route) names(ctx context.Context) {
	r.lookUp(ctx, nameDNSToken, r.tokenHost, smtp.StageToken, r.tokenProxy)
	r.lookUp(ctx, nameDNSSMTP, r.o.Session.Host, smtp.StageDial, r.o.Session.Proxy != nil)
}

func (r *route) lookUp(ctx context.Context, name, host string, stage smtp.Stage, proxied bool) {
	if r.elsewhere(name) || r.record.blocked(name, nameSettings, nameProxy) {
		return
	}
	if proxied {
		r.record.add(Check{Name: name, Status: Skipped, Seen: "the proxy looks up " + host})
		return
	}
	c := Check{Name: name, Status: OK, Limit: r.o.Limit}
	if a, err := netip.ParseAddr(host); err == nil {
		r.families[host] = sorted([]netip.Addr{a})
		c.Seen = host + " is an address"
		r.record.add(c)
		return
	}
	started := time.Now()
	within, cancel := context.WithTimeout(ctx, r.o.Limit)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(within, "ip", host)
	c.Took = time.Since(started)
	if err != nil {
		r.record.add(r.record.broke(c, failure(stage, err)))
		return
	}
	f := sorted(addrs)
	r.families[host] = f
	c.Seen = fmt.Sprintf("%s: %s", host, f)
	r.record.add(c)
}

func sorted(addrs []netip.Addr) families {
	var f families
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			f.v4 = append(f.v4, a)
		} else {
			f.v6 = append(f.v6, a)
		}
	}
	return f
}

// String counts them and shows the first of each.
func (f families) String() string {
	var parts []string
	for _, kind := range []struct {
		name  string
		addrs []netip.Addr
	}{{"IPv4", f.v4}, {"IPv6", f.v6}} {
		if len(kind.addrs) == 0 {
			parts = append(parts, "no "+kind.name)
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %s (%s)", len(kind.addrs), kind.name, kind.addrs[0]))
	}
	return strings.Join(parts, ", ")
}

// connections makes TCP connections to both hosts, unless a proxy does that.
func (r *route) connections(ctx context.Context) {
	r.connect(ctx, nameTCPToken, r.tokenHost, r.tokenPort, "", smtp.StageToken, nameDNSToken, r.tokenProxy)
	if r.o.Session.Proxy != nil && r.record.state[nameDNSSMTP] != Failed {
		return // the session's dial goes by the proxy, and is the check
	}
	r.connect(ctx, nameTCPSMTP, r.o.Session.Host, strconv.Itoa(r.o.Session.Port), r.o.Session.IPFamily, smtp.StageDial, nameDNSSMTP, false)
}

// attempt is a connection by one family.
type attempt struct {
	family string
	addr   string
	took   time.Duration
	err    error
}

func (a attempt) String() string {
	if a.err != nil {
		return fmt.Sprintf("%s %s", a.family, plainFault(a.err))
	}
	return fmt.Sprintf("%s %d ms (%s)", a.family, a.took.Milliseconds(), a.addr)
}

// plainFault says in a word or two why a connection failed.
func plainFault(err error) string {
	switch f := diagnosis.FaultOf(err); f {
	case "":
		return err.Error()
	case smtp.FaultConnectionTimeout:
		return "no answer"
	case smtp.FaultConnectionRefused:
		return "refused"
	case smtp.FaultNetworkUnreachable:
		return "has no route from this machine"
	default:
		return string(f)
	}
}

// elsewhere reports a check of the token endpoint that is not asked, since the token comes
// from elsewhere.
func (r *route) elsewhere(name string) bool {
	isOfEndpoint := name == nameDNSToken || name == nameTCPToken
	return isOfEndpoint && r.o.Token.Elsewhere != nil
}

func (r *route) connect(ctx context.Context, name, host, port, family string, stage smtp.Stage, dns string, proxied bool) {
	if r.elsewhere(name) || r.record.blocked(name, dns) {
		return
	}
	if proxied {
		r.record.add(Check{Name: name, Status: Skipped, Seen: "the proxy connects to " + net.JoinHostPort(host, port)})
		return
	}
	c := Check{Name: name, Status: OK, Limit: r.o.Limit}
	started := time.Now()
	attempts := r.dialFamilies(ctx, host, port, family)
	c.Took = time.Since(started)
	var seen []string
	var reached bool
	var failed error
	for _, a := range attempts {
		seen = append(seen, a.String())
		reached = reached || a.err == nil
		if failed == nil {
			failed = a.err
		}
	}
	c.Seen = fmt.Sprintf("%s: %s", port, strings.Join(seen, ", "))
	switch {
	case len(attempts) == 0:
		failed = &net.DNSError{Err: "no address of the family that the settings ask for", Name: host, IsNotFound: true}
		c.Seen = failed.Error()
		r.record.add(r.record.broke(c, failure(stage, failed)))
	case !reached:
		r.record.add(r.record.broke(c, failure(stage, failed)))
	case failed != nil && diagnosis.FaultOf(failed) == smtp.FaultConnectionTimeout:
		c = r.record.warned(c, diagnosis.Symptom{Stage: stage, Fault: smtp.FaultNetworkUnreachable})
		c.Notes = []string{"one family of addresses gets no answer: connections begin slowly, or hang; SMTPSEND_IP_FAMILY chooses the other one"}
		r.record.add(c)
	default:
		r.record.add(c)
	}
}

// dialFamilies tries IPv4 and IPv6 at the same time.
func (r *route) dialFamilies(ctx context.Context, host, port, family string) []attempt {
	ctx, cancel := context.WithTimeout(ctx, r.o.Limit)
	defer cancel()
	f := r.families[host]
	results := make(chan attempt)
	var networks []string
	for _, n := range []struct {
		name, network string
		addrs         []netip.Addr
	}{{"ipv4", "tcp4", f.v4}, {"ipv6", "tcp6", f.v6}} {
		wanted := family == "" || family == "any" || family == n.name
		if len(n.addrs) == 0 || !wanted {
			continue
		}
		networks = append(networks, n.network)
		go func() { results <- dialOne(ctx, n.network, host, port) }()
	}
	out := make([]attempt, 0, len(networks))
	for range networks {
		a := <-results
		if a.family == "IPv4" {
			out = append([]attempt{a}, out...)
		} else {
			out = append(out, a)
		}
	}
	return out
}

func dialOne(ctx context.Context, network, host, port string) attempt {
	a := attempt{family: "IPv" + strings.TrimPrefix(network, "tcp")}
	started := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, port))
	a.took, a.err = time.Since(started), err
	if err == nil {
		a.addr = conn.RemoteAddr().(*net.TCPAddr).IP.String()
		a.err = conn.Close()
	}
	return a
}
