//go:build unix

package main

import (
	"errors"
	"testing"
)

func TestCountsOverTheirBoundFailTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		counts  instructions
		verdict [3]string
		fails   bool
	}{
		"within":        {instructions{version: 250, bare: 100, send: 120, goMail: 100, secret: 100, certificate: 110}, [3]string{"met", "met", "met"}, false},
		"slow to start": {instructions{version: 251, bare: 100, send: 120, goMail: 100, secret: 100, certificate: 110}, [3]string{"missed", "met", "met"}, true},
		"slow to send":  {instructions{version: 250, bare: 100, send: 121, goMail: 100, secret: 100, certificate: 110}, [3]string{"met", "missed", "met"}, true},
		"slow to look":  {instructions{version: 250, bare: 100, send: 120, goMail: 100, secret: 100, certificate: 111}, [3]string{"met", "met", "missed"}, true},
		"not counted":   {instructions{}, [3]string{"not measured", "not measured", "not measured"}, false},
		"no go-mail":    {instructions{version: 250, bare: 100, send: 121}, [3]string{"met", "not measured", "not measured"}, false},
	} {
		for i, target := range c.counts.targets() {
			if target.verdict() != c.verdict[i] {
				t.Errorf("%s: %+v is %q, want %q", name, target, target.verdict(), c.verdict[i])
			}
		}
		if err := c.counts.overBound(); errors.Is(err, errOverBound) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
}
