//go:build race

package stage

// Race reports whether this process has the race detector in it.
const Race = true
