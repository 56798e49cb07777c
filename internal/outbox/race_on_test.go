//go:build race

package outbox_test

// cuts is fewer than without the race detector, which sees nothing in what is done
// after a cut, one thing after another.
const cuts = 30

// measured is false: the race detector keeps memory of its own, more of it on a busy
// machine.
const measured = false
