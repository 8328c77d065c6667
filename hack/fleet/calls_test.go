package fleet

import "slices"

// seconds are the calls of consecutive seconds.
type seconds []second

// A second counts the calls of one second.
type second struct {
	reads   int
	partial int // reads of only some of the addresses; included in reads
	writes  int
	refused int // calls refused by the limit
	failed  int // calls failed by a fault
	idle    int // admitted writes of addresses that were in place
}

func (s second) calls() int { return s.reads + s.writes }

func (s seconds) sum() second {
	var sum second
	for _, one := range s {
		sum.reads += one.reads
		sum.partial += one.partial
		sum.writes += one.writes
		sum.refused += one.refused
		sum.failed += one.failed
		sum.idle += one.idle
	}
	return sum
}

// quantile returns a number of calls per second that is not exceeded in this share of the seconds.
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
