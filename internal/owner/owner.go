// Package owner makes root's process go on as the user that a directory belongs to:
// in a directory of another user a link decides what a name means, so nothing is
// done there as root.
package owner

// User is who the process has become, zero while it is who started it. A user
// without an entry in the system's table has its number as Name, and no Home.
type User struct{ Name, Home string }
