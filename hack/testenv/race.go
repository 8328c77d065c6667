//go:build race

package testenv

// Race reports whether this process was built with the race detector.
const Race = true
