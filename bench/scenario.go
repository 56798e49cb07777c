//go:build unix

package main

import (
	"fmt"
	"time"
)

// farRTT is the distance of a service in the same part of the world.
const farRTT = 40 * time.Millisecond

// scenario is one case of the table: what every program has to do.
type scenario struct {
	messages int // on one session
	attach   int // MB (2^20 octets) attached to each
	rtt      time.Duration
	cold     bool // no token yet
	// think is what the token endpoint takes over its answer.
	think time.Duration
	runs  int // of each program
	// count asks for one more run at farRTT, before the others, to count turns:
	// without distance they cannot be told.
	count bool
}

func (s scenario) name() string {
	what := "1 message"
	switch {
	case s.attach > 0:
		what = fmt.Sprintf("%d MB attached", s.attach)
	case s.messages > 1:
		what = fmt.Sprintf("%d messages on one session", s.messages)
	}
	token := "warm token"
	switch {
	case s.cold && s.think > 0:
		token = fmt.Sprintf("cold token answered after %d ms", s.think.Milliseconds())
	case s.cold:
		token = "cold token answered at once"
	}
	if s.messages > 1 || s.attach > 0 {
		return fmt.Sprintf("%s, %d ms", what, s.rtt.Milliseconds())
	}
	return fmt.Sprintf("%s, %s, %d ms", what, token, s.rtt.Milliseconds())
}

// sibling reports whether o differs by distance alone, so that it has the same
// turns.
func (s scenario) sibling(o scenario) bool {
	return s.messages == o.messages && s.attach == o.attach && s.cold == o.cold && s.think == o.think
}

// thinkTime is for a token endpoint that looks up a tenant, checks a secret and
// signs, behind the front end of a large service. With it, a token costs a
// program that waits for it 210 ms at farRTT.
const thinkTime = 90 * time.Millisecond

// The cases that the targets name.
var (
	warmFar   = scenario{messages: 1, rtt: farRTT}
	coldFar   = scenario{messages: 1, rtt: farRTT, cold: true, think: thinkTime}
	warmNear  = scenario{messages: 1}
	twentyFar = scenario{messages: 20, rtt: farRTT}
	hundredMB = scenario{messages: 1, attach: 100}
)

// quickScenarios are one run each of what shows the most.
func quickScenarios() []scenario {
	list := []scenario{warmNear, warmFar, coldFar, twentyFar}
	for i := range list {
		list[i].runs = 1
	}
	return list
}

// scenarios are all cases with n runs each, fewer where a run is long and
// distance alone decides how long. Programs without pipelining need up to a
// minute for 200 messages.
func scenarios(n int) []scenario {
	near := scenario{messages: 1, cold: true}
	atOnce := scenario{messages: 1, rtt: farRTT, cold: true}
	return []scenario{
		warmNear.times(n), warmFar.times(n), near.times(n), atOnce.times(n), coldFar.times(n),
		{messages: 20, runs: n}, twentyFar.times((n + 2) / 3),
		{messages: 200, runs: (n + 2) / 3}, {messages: 200, rtt: farRTT, runs: 1},
		{messages: 1, attach: 25, runs: (n + 2) / 3, count: true},
		{messages: 1, attach: hundredMB.attach, runs: (n + 2) / 3, count: true},
	}
}

func (s scenario) times(n int) scenario {
	s.runs = n
	return s
}
