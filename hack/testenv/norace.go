//go:build !race

package testenv

// Race reports whether this process has the race detector in it.
const Race = false
