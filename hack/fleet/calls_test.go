package fleet

import "slices"

// seconds are what was called in each of some seconds.
type seconds []second

// A second is what was called in one.
type second struct {
	reads   int
	looks   int // reads of less than all addresses
	writes  int
	refused int // of all: by the limit
	failed  int // of all: by a fault
	idle    int // writes that were admitted and changed nothing
}

func (s second) calls() int { return s.reads + s.writes }

func (s seconds) sum() second {
	var sum second
	for _, one := range s {
		sum.reads += one.reads
		sum.looks += one.looks
		sum.writes += one.writes
		sum.refused += one.refused
		sum.failed += one.failed
		sum.idle += one.idle
	}
	return sum
}

// quantile returns the number of calls that this share of the seconds do not exceed.
func (s seconds) quantile(share float64) int {
	var calls []int
	for _, one := range s {
		calls = append(calls, one.calls())
	}
	slices.Sort(calls)
	return calls[max(0, int(share*float64(len(calls)))-1)]
}

func (s seconds) mean() float64 { return float64(s.sum().calls()) / float64(len(s)) }

func (s seconds) most() int { return s.quantile(1) }
