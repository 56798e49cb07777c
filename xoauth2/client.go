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

// NewClient returns the client side of XOAUTH2 for user (the mailbox) and token. If a
// value cannot be sent, Start returns an error.
func NewClient(user, token string) *Client {
	return &Client{user: user, mechanism: Mechanism, initial: func() ([]byte, error) { return InitialResponse(user, token) }}
}

// Format writes the user without the token, for every verb, so that a log or a panic
// does not reveal the token.
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

// Next answers a challenge. An empty challenge asks for the initial response, so Next
// returns it, again if it was already sent with the command. Any other challenge is the
// server's error result. It is kept for Result, and Next returns the empty response (^A
// with OAUTHBEARER), after which the server ends the exchange. Each of the two may come
// once, in this order. For any other challenge the error is ErrUnexpectedChallenge.
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
