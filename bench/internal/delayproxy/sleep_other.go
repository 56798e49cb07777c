//go:build !linux

package delayproxy

import "time"

func sleepUntil(due time.Time) { time.Sleep(time.Until(due)) }
