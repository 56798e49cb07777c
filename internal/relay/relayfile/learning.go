package relayfile

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// ParseEndpoint reads where a listener is, as the file has it: smtp://127.0.0.1:25. The
// error is a predicate of the text.
func ParseEndpoint(text string) (Endpoint, error) {
	e, reason := readEndpoint(text)
	if reason != "" {
		return Endpoint{}, errors.New(reason)
	}
	return e, nil
}

// ParseLearned reads an address or a network whose hosts may submit for a while without
// being named, with any sender: one of a site, or a small part of the internet, such as
// the /24 of an office. The error is a predicate of the text.
func ParseLearned(text string) (netip.Prefix, error) {
	p, reason := readNetwork(text)
	switch {
	case reason != "":
		return netip.Prefix{}, errors.New(reason)
	case p.Bits() == 0:
		return netip.Prefix{}, errors.New("is every address there is: name the networks of your devices")
	case !isPrivate(p) && breadth(p) > warnBreadth:
		return netip.Prefix{}, fmt.Errorf("is too much of the internet, and strangers are in it: at most a /%d", learnedBits(p))
	}
	return p, nil
}

// ParseAllLearned is ParseLearned for several. The error begins with the text that is wrong.
func ParseAllLearned(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		n, err := ParseLearned(text)
		if err != nil {
			return nil, fmt.Errorf("%q %w", text, err)
		}
		networks = append(networks, n)
	}
	return networks, nil
}

// learnedBits is the length of the largest network of the internet that ParseLearned
// takes.
func learnedBits(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 32 - warnBreadth
	}
	return 56 - warnBreadth
}

// ReadForLearning is the settings file name, for clients that are to be known with all
// versions of TLS; without a name it is ForLearning.
func ReadForLearning(ctx context.Context, name string, addresses []string) (*File, error) {
	if name == "" {
		f, err := ForLearning(addresses)
		if err != nil {
			return nil, errors.New("--listen " + err.Error())
		}
		return f, nil
	}
	f, err := Read(ctx, name)
	if err == nil {
		f.Learn()
	}
	return f, err
}

// ForLearning is a file that has listeners alone, for clients that are to be known. Without
// addresses these are the ports of a mail server and of a submission server, on every
// address of this host. The error names the address that is wrong.
func ForLearning(addresses []string) (*File, error) {
	f := &File{}
	if len(addresses) == 0 {
		addresses = []string{"starttls://0.0.0.0:25", "starttls://0.0.0.0:587"}
	}
	for i, text := range addresses {
		e, err := ParseEndpoint(text)
		if err != nil {
			return nil, fmt.Errorf("%q %w", text, err)
		}
		isSame := func(l Listener) bool { return l.Address == e }
		if slices.ContainsFunc(f.Listeners, isSame) {
			return nil, fmt.Errorf("%q is there twice", text)
		}
		l := Listener{Line: i + 1, Address: e, Policy: PolicyIPOrAuth, Limits: DefaultLimits()}
		f.Listeners = append(f.Listeners, l)
	}
	f.Learn()
	return f, nil
}

// Learn lets the listeners of a file that was just read take every version of TLS, so
// that old devices are seen as they are.
func (f *File) Learn() {
	for i := range f.Listeners {
		if l := &f.Listeners[i]; l.OffersTLS() {
			l.TLSMin = tls.VersionTLS10
		}
	}
}

// MayBeAnyone reports a client that is known by addresses of the internet alone, and may
// use any sender: a file with it may not hold.
func (c *Client) MayBeAnyone() bool {
	isPublic := func(n netip.Prefix) bool { return !isPrivate(n) }
	return len(c.Senders) == 0 && slices.ContainsFunc(c.Networks, isPublic)
}
