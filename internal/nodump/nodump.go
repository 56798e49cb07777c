// Package nodump keeps the secrets in this process's memory out of core files
// and away from other processes of the same user.
//
// It is a second line of defence: a crash reporter that is told to dump every
// process, root, and swap are beyond it. Where the system offers nothing, it
// does nothing.
package nodump
