//go:build !race

package outbox_test

// cuts is how many power cuts are simulated in a recording.
const cuts = 150

// measured says that the memory of a process is that of the outbox.
const measured = true
