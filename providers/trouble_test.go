package providers

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestTroubleIsSaidAtAGrowingDistance(t *testing.T) {
	var trouble Trouble
	start := time.Unix(0, 0)
	var said []string
	for at := time.Duration(0); at < 4*time.Hour; at += 10 * time.Second {
		if trouble.Fail(start.Add(at)) {
			said = append(said, fmt.Sprint(at))
		}
	}
	want := []string{"0s", "1m0s", "3m0s", "7m0s", "15m0s", "31m0s", "1h3m0s", "2h3m0s", "3h3m0s"}
	if !slices.Equal(said, want) {
		t.Errorf("said at %v, want %v", said, want)
	}
	if !trouble.Over() || trouble.Over() {
		t.Error("Over: want true once")
	}
}
