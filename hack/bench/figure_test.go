package main

import (
	"slices"
	"testing"
	"time"

	"floaty/providers/simulator"
)

func TestPercentiles(t *testing.T) {
	for _, test := range []struct {
		values []float64
		p      float64
		want   float64
	}{
		{[]float64{7}, 50, 7},
		{[]float64{7}, 99, 7},
		{[]float64{3, 1, 2}, 50, 2},
		{[]float64{4, 1, 3, 2}, 50, 2.5},
		{[]float64{4, 1, 3, 2}, 100, 4},
		{[]float64{4, 1, 3, 2}, 0, 1},
	} {
		if got := percentile(test.values, test.p); got != test.want {
			t.Errorf("percentile(%v, %v): got %v, want %v", test.values, test.p, got, test.want)
		}
	}
}

func TestCallsAreSplitWhereNothingArrives(t *testing.T) {
	var calls []simulator.Call
	for _, s := range []int{0, 0, 10, 11, 12, 20} {
		calls = append(calls, simulator.Call{At: time.Unix(int64(s), 0)})
	}
	var got []int
	for _, look := range bursts(calls, 2*time.Second) {
		got = append(got, len(look))
	}
	if want := []int{2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("got looks of %v calls, want %v", got, want)
	}
}
