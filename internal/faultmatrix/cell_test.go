//go:build unix

// Package faultmatrix_test breaks the dialogue of a submission at every place
// in every way, and holds each receipt against what the server really stored.
//
// A cell is one combination of stage, place, fault, pipelining and form of AUTH
// (cell_test.go). The server (server_test.go, fault_test.go) speaks SMTP on a
// real socket with real TLS up to the cell's place, does there what the cell
// says, and keeps a ledger of what it stored. The verdict (verdict_test.go) says
// which outcomes are right. Beside the matrix stand several recipients, several
// messages on one session, the token endpoint, the program as a process, and
// client or server killed.
package faultmatrix_test

import (
	"fmt"
	"strings"
)

// stage is a step of the dialogue, in its order.
type stage int

const (
	dial stage = iota // at an HTTP proxy, where a dial can be broken in more ways than refused
	greeting
	ehlo
	starttls
	handshake
	ehloTLS
	auth
	response
	mailFrom
	rcptTo
	data
	content
	dot
	quit
	stages
)

func (s stage) String() string {
	return [...]string{"dial", "greeting", "ehlo", "starttls", "handshake", "ehlo-tls", "auth", "auth-response",
		"mail", "rcpt", "data", "content", "dot", "quit"}[s]
}

// place says where in a stage the fault strikes.
type place int

const (
	early  place = iota // before the client's line was read
	line                // within the line
	before              // after the line, in the place of the reply
	within              // within the reply
	after               // behind the reply
	places
)

func (p place) String() string {
	return [...]string{"early", "line", "before", "within", "after"}[p]
}

// fault is what the server does there.
type fault int

const (
	transient fault = iota // a 4yz reply
	permanent              // a 5yz reply
	closing                // 421, and the connection closed
	leaving                // 421, and the connection left open
	garbage                // octets that are no reply
	halfLine               // the beginning of a reply line, then nothing
	megabyte               // a reply of 1 MB
	mixed                  // a reply whose lines have different codes
	stray                  // one 250 too many
	silence                // nothing any more
	slow                   // the reply octet by octet
	drip                   // octet by octet, without end
	reset                  // RST
	fin                    // an orderly end: close_notify under TLS, then FIN
	alert                  // a fatal TLS alert
	truncated              // the beginning of a TLS record, then FIN
	faults
)

func (f fault) String() string {
	return [...]string{"4yz", "5yz", "421", "421-open", "garbage", "half-line", "1MB", "mixed", "stray-250", "silence", "slow",
		"drip", "rst", "fin", "tls-alert", "tls-truncated"}[f]
}

// timed reports a fault that only the client's limits end.
func (f fault) timed() bool { return f == silence || f == halfLine || f == drip }

// refusing reports a fault that is a definite refusal.
func (f fault) refusing() bool { return f <= leaving }

// cell is one way in which a server may behave.
type cell struct {
	stage      stage
	place      place
	fault      fault
	pipelining bool // offered
	empty334   bool // the initial response answers an empty challenge
	drops      bool // at the dot: the server did not store what it got
	healthy    bool // no fault at all
	chunked    bool // CHUNKING is offered, so that the content comes with MAIL
}

func (c cell) String() string {
	if c.healthy {
		return "healthy"
	}
	return fmt.Sprintf("%v/%v/%v/%s/%s%s%s", c.stage, c.place, c.fault, pick(c.pipelining, "group", "stepwise"),
		pick(c.empty334, "334", "initial"), pick(c.drops, "/drops", ""), pick(c.chunked, "/chunk", ""))
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// applies reports whether the place exists in the stage and the fault can be
// told from another one there.
func (c cell) applies() bool {
	switch {
	case c.stage == greeting && c.place < before: // there is no line
		return false
	case c.stage == content && c.place > before: // nor a reply to content
		return false
	case c.stage == dot && c.place == early: // that is content/before
		return false
	case c.fault == slow && c.place != before && c.place != within: // no reply is left to be slow with
		return false
	case c.stage == content && c.fault == slow:
		return false
	case c.stage == handshake && c.place == within && c.fault == leaving: // part of a TLS record, then silence
		return false
	}
	return !c.drops || c.stage == dot && (c.place == before || c.place == within) && !c.fault.refusing() && c.fault != slow && c.fault != stray
}

// cells generates the matrix.
func cells() []cell {
	var all []cell
	for s := range stages {
		for p := range places {
			for f := range faults {
				for bits := range 8 {
					c := cell{stage: s, place: p, fault: f, pipelining: bits&1 == 0, empty334: bits&2 != 0, drops: bits&4 != 0}
					if c.applies() {
						all = append(all, c)
					}
				}
			}
		}
	}
	return all
}

// dimensions describes the matrix.
func dimensions() string {
	var s, p, f []string
	for i := range stages {
		s = append(s, i.String())
	}
	for i := range places {
		p = append(p, i.String())
	}
	for i := range faults {
		f = append(f, i.String())
	}
	return fmt.Sprintf("%d stages (%s) x %d places (%s) x %d faults (%s) x pipelining on, off x initial response, empty 334",
		stages, strings.Join(s, " "), places, strings.Join(p, " "), faults, strings.Join(f, " "))
}
