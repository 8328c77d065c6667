package observed

import (
	"math"
	"math/rand/v2"
	"time"
)

// BackOff computes how long to wait after repeated failures.
type BackOff struct {
	Initial    time.Duration // after the first failure
	Multiplier float64       // of the wait, from one failure to the next; at least 1
	Max        time.Duration // of one wait
	MaxElapsed time.Duration // since the first failure, after which the refresh interval is enough; 0: never
}

// Wait returns the wait after the given failure in a row, counted from 1, with ±20 % jitter.
func (b BackOff) Wait(failure int) time.Duration {
	wait := float64(b.Initial) * math.Pow(b.Multiplier, float64(failure-1))
	return Jitter(time.Duration(min(wait, float64(b.Max))), 0.2)
}

// Jitter returns d plus or minus at most share of it (0.1: ±10 %), so that hosts that failed together do not return together.
func Jitter(d time.Duration, share float64) time.Duration {
	return d + time.Duration(float64(d)*share*(2*rand.Float64()-1)) //nolint:gosec // spreads load, guards nothing
}
