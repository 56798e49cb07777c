//go:build !linux

package store

import "time"

// sinceBoot is the running of this process: what else is known differs from
// system to system.
func sinceBoot() (era string, at func() time.Duration) { return sinceStart() }
