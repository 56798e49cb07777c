//go:build unix && race

package faultmatrix_test

// thinning is how many cells of the larger tests beside the matrix count as one
// under the race detector, which makes each some five times as slow.
const thinning = 8
