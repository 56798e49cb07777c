//go:build !linux

package store

// fileSystem knows no names here.
func fileSystem(string) (string, Trust) { return "", Good }
