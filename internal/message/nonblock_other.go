//go:build !unix

package message

// nonBlock is for named pipes among files, which only Unix has.
const nonBlock = 0
