package xoauth2

import (
	"errors"
	"fmt"
)

// ErrUnexpectedChallenge is returned by Client.Next for a challenge that the
// mechanism does not have at that point.
var ErrUnexpectedChallenge = errors.New("xoauth2: unexpected challenge")

// Client is the client side of one exchange. It has the methods of go-sasl's
// Client interface. It is not safe for concurrent use.
type Client struct {
	user      string
	mechanism string
	initial   func() ([]byte, error)
	dummy     string // the response to an error result

	started bool
	resent  bool // the initial response, after an empty challenge
	result  *ErrorResult
}

// NewClient returns the client side of XOAUTH2 for user (the mailbox) and token.
// Illegal values are reported by Start.
func NewClient(user, token string) *Client {
	return &Client{user: user, mechanism: Mechanism, initial: func() ([]byte, error) { return InitialResponse(user, token) }}
}

// Format writes the user and no token, for every verb: a client in a log or a
// panic shall not give the token away.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "xoauth2.Client(%q)", c.user) }

// Start begins the exchange and returns the mechanism's name and the initial
// response, which is never nil without an error. Its error is a *FieldError.
func (c *Client) Start() (mechanism string, initialResponse []byte, err error) {
	initialResponse, err = c.initial()
	if err != nil {
		return "", nil, err
	}
	c.started = true
	return c.mechanism, initialResponse, nil
}

// Next answers a challenge. An empty one asks for the initial response when
// that was not sent with the command, so the response is sent (again); any
// other is the server's error result, which is kept for Result and answered
// with the empty response (^A with OAUTHBEARER), upon which the server ends the
// exchange. Both may come once, in this order; any other challenge is
// ErrUnexpectedChallenge.
func (c *Client) Next(challenge []byte) (response []byte, err error) {
	switch {
	case !c.started || c.result != nil:
		return nil, ErrUnexpectedChallenge
	case len(challenge) > 0:
		c.result = errorResultOf(challenge)
		return []byte(c.dummy), nil
	case c.resent:
		return nil, ErrUnexpectedChallenge
	}
	c.resent = true
	return c.initial()
}

// Result returns the error result that the server sent, nil when it sent none.
// One that is not JSON has only its Raw field set.
func (c *Client) Result() *ErrorResult { return c.result }
