//go:build unix && !race

package faultmatrix_test

// thinning: every cell runs.
const thinning = 1
