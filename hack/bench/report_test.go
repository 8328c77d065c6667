package main

import (
	"slices"
	"testing"
	"time"
)

func TestPercentiles(t *testing.T) {
	for _, test := range []struct {
		values  []float64
		p, want float64
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

func TestBurstsSplitsAtGaps(t *testing.T) {
	var reads []time.Time
	for _, s := range []int64{0, 0, 10, 11, 12, 20} {
		reads = append(reads, time.Unix(s, 0))
	}
	var got []int
	for _, refresh := range bursts(reads, 2*time.Second) {
		got = append(got, len(refresh))
	}
	if want := []int{2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("got refreshes of %v reads, want %v", got, want)
	}
}
