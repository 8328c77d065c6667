package failurelog

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A step is a failure or a success at a time after the start.
type step struct {
	after   time.Duration
	failure string // its text; empty for a success
}

func TestFailuresAreLoggedAtGrowingIntervals(t *testing.T) {
	const m = time.Minute
	every := func(d time.Duration, n int, failures ...string) (steps []step) {
		for i := range n {
			steps = append(steps, step{time.Duration(i) * d, failures[i%len(failures)]})
		}
		return steps
	}
	for name, test := range map[string]struct {
		steps []step
		want  []string // the lines, with their minute
	}{
		"a healthy day": {every(m, 1000, ""), nil},
		"one failure":   {[]step{{0, "503"}, {m, ""}, {2 * m, ""}}, []string{"0 failed", "1 works again"}},
		"reminders at growing intervals": {
			every(m/2, 500, "503"),
			[]string{"0 failed", "1 failed", "3 failed", "7 failed", "15 failed", "31 failed", "63 failed", "123 failed", "183 failed", "243 failed"},
		},
		"another failure is logged immediately": {
			[]step{{0, "503"}, {m / 2, "timeout"}, {m, "timeout"}},
			[]string{"0 failed", "0 failed"},
		},
		"two failures far apart": {
			[]step{{0, "503"}, {m, ""}, {12 * m, "503"}, {13 * m, ""}},
			[]string{"0 failed", "1 works again", "12 failed", "13 works again"},
		},
		"every other call fails": {
			append(every(m, 60, "503", ""), step{66 * m, ""}, step{70 * m, ""}),
			[]string{
				"0 failed", "1 works again", "2 fails now and then", "4 fails now and then", "6 fails now and then",
				"10 fails now and then", "18 fails now and then", "34 fails now and then", "70 works again",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var e Entry
			var got []string
			start := time.Now()
			for _, s := range test.steps {
				now, line := start.Add(s.after), ""
				switch {
				case s.failure == "" && e.Succeeded(now):
					line = "works again"
				case s.failure != "" && e.FailedBecause(s.failure, now):
					line = "failed"
					if e.Intermittent() {
						line = "fails now and then"
					}
				}
				if line != "" {
					got = append(got, fmt.Sprintf("%.0f %s", s.after.Truncate(m).Minutes(), line))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%q\nwant\n%q", got, test.want)
			}
		})
	}
}

func TestFailuresAreCountedInARowAndInTotal(t *testing.T) {
	var e Entry
	now := time.Now()
	e.Failed(now)
	e.Failed(now.Add(time.Second))
	if e.Attempts != 2 || e.Failures != 2 || !e.Since.Equal(now) {
		t.Errorf("after two failures: %d in a row, %d in total, since %v; want 2, 2 and the time of the first", e.Attempts, e.Failures, e.Since)
	}
	e.Succeeded(now.Add(2 * time.Second))
	e.Failed(now.Add(3 * time.Second))
	if e.Attempts != 1 || e.Failures != 3 {
		t.Errorf("after a success and another failure: %d in a row, %d in total; want 1 and 3", e.Attempts, e.Failures)
	}
}
