package store

import (
	"crypto/rand"
	"time"
)

// steady is the counter of the machine, by which its clock is judged.
func steady() func() (era string, at time.Duration) {
	era, at := sinceBoot()
	return func() (string, time.Duration) { return era, at() }
}

// sinceStart is the running of this process.
func sinceStart() (era string, at func() time.Duration) {
	start := time.Now()
	return rand.Text(), func() time.Duration { return time.Since(start) }
}
