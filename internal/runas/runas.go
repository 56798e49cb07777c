// Package runas makes root's process one of the user that a directory belongs to.
package runas

// Person is the user that a process has become; zero while it has not.
type Person struct {
	Name string
	Home string // "" when it is not known
}
