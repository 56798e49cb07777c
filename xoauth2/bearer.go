package xoauth2

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// BearerMechanism is the name of the mechanism of RFC 7628, as it follows AUTH.
const BearerMechanism = "OAUTHBEARER"

// maxHost is the longest name of a host (RFC 1035 2.3.4).
const maxHost = 255

// BearerResponse is the client's initial response of OAUTHBEARER (RFC 7628 3.1).
// Only Token is needed.
type BearerResponse struct {
	User  string // whom to act as, such as the mailbox; "": the one that the token names
	Token string // the access token, without "Bearer"
	Host  string // the server's name, as given to the client; "": not sent
	Port  int    // the server's port; 0: not sent
}

// Format writes the response without the token, for every verb.
func (r BearerResponse) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, r.shown())
}

// MarshalText writes what Format does, which also covers encoding/json, encoding/xml
// and log/slog.
func (r BearerResponse) MarshalText() ([]byte, error) { return []byte(r.shown()), nil }

// GobEncode refuses: what is encoded for another program would hold the token.
func (r BearerResponse) GobEncode() ([]byte, error) { return nil, errNotEncoded }

var errNotEncoded = errors.New("xoauth2: a BearerResponse holds an access token and is not encoded")

func (r BearerResponse) shown() string {
	return fmt.Sprintf("xoauth2.BearerResponse(%q, %q, %d)", r.User, r.Host, r.Port)
}

// Message returns the response before base64:
//
//	"n,a=" {user} "," ^A "host=" {host} ^A "port=" {port} ^A "auth=Bearer " {token} ^A ^A
//
// An empty token, and a value that is too long or holds CR, LF, NUL or ^A, are
// refused with a *FieldError.
func (r BearerResponse) Message() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("n,")
	if r.User != "" {
		b.WriteString("a=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(r.User)) // saslname, RFC 5801 4
	}
	b.WriteString(",\x01")
	if r.Host != "" {
		b.WriteString("host=" + r.Host + "\x01")
	}
	if r.Port != 0 {
		b.WriteString("port=" + strconv.Itoa(r.Port) + "\x01")
	}
	b.WriteString("auth=Bearer " + r.Token + "\x01\x01")
	return []byte(b.String()), nil
}

func (r BearerResponse) check() error {
	if r.User != "" {
		if err := checkField("user", r.User, MaxUser); err != nil {
			return err
		}
	}
	if r.Host != "" {
		if err := checkField("host", r.Host, maxHost); err != nil {
			return err
		}
	}
	if r.Port < 0 || r.Port > 65535 {
		return &FieldError{"port", "is not in 0 to 65535"}
	}
	return checkField("token", r.Token, MaxToken)
}

// ParseBearerResponse reads a client's message, as a server has it after decoding
// base64. Channel binding ("p=") is refused, since a bearer token has none. Pairs
// other than auth, host and port are ignored, as RFC 7628 3.1 demands; one of these
// three that is repeated is refused. The error wraps ErrSyntax and does not quote
// the input.
func ParseBearerResponse(message []byte) (*BearerResponse, error) {
	body, ok := strings.CutSuffix(string(message), "\x01\x01")
	if !ok {
		return nil, fmt.Errorf("%w: does not end with two ^A", ErrSyntax)
	}
	header, pairs, ok := strings.Cut(body, "\x01")
	if !ok {
		return nil, fmt.Errorf("%w: has no ^A after the GS2 header", ErrSyntax)
	}
	user, err := parseGS2(header)
	if err != nil {
		return nil, err
	}
	r := &BearerResponse{User: user}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(pairs, "\x01") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || seen[key] {
			return nil, fmt.Errorf("%w: has a pair without a key of its own", ErrSyntax)
		}
		if err := r.set(key, value); err != nil {
			return nil, err
		}
		seen[key] = key == "auth" || key == "host" || key == "port"
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return r, nil
}

// set takes over one pair.
func (r *BearerResponse) set(key, value string) error {
	switch key {
	case "host":
		r.Host = value
	case "port":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return fmt.Errorf("%w: port is not a number up to 65535", ErrSyntax)
		}
		r.Port = int(port)
	case "auth":
		scheme, token, ok := strings.Cut(value, " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return fmt.Errorf(`%w: scheme is not "Bearer"`, ErrSyntax)
		}
		r.Token = token
	}
	return nil
}

// parseGS2 reads the GS2 header (RFC 5801 4): flag, comma, authzid or nothing, comma.
func parseGS2(header string) (user string, err error) {
	flag, rest, _ := strings.Cut(header, ",")
	name, after, ok := strings.Cut(rest, ",")
	if !ok || after != "" || (flag != "n" && flag != "y") {
		return "", fmt.Errorf(`%w: GS2 header is not "n," or "y,", a user and a comma`, ErrSyntax)
	}
	if name == "" {
		return "", nil
	}
	name, ok = strings.CutPrefix(name, "a=")
	plain := strings.NewReplacer("=3D", "", "=2C", "").Replace(name)
	if !ok || name == "" || strings.Contains(plain, "=") {
		return "", fmt.Errorf(`%w: user of the GS2 header is not "a=" and a name`, ErrSyntax)
	}
	return strings.NewReplacer("=3D", "=", "=2C", ",").Replace(name), nil
}

// NewBearerClient returns the client side of OAUTHBEARER for r. If a value cannot be
// sent, Start returns an error. The mechanism's name and the initial response differ
// from those of NewClient. An error result is answered with the dummy response ^A (RFC
// 7628 3.2.3), after which the server ends the exchange.
func NewBearerClient(r BearerResponse) *Client {
	return &Client{user: r.User, mechanism: BearerMechanism, initial: r.Message, dummy: "\x01"}
}
