package keepalived

import (
	"testing"
	"time"
)

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// statesAfter returns the states after these lines. The first line arrives at noon, and each further line one minute after the line
// before it. A and B are in the group G.
func statesAfter(t *testing.T, lines ...string) states {
	t.Helper()
	s := states{}
	for i, line := range lines {
		e, err := ParseEvent([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var members []string
		if e.Type == "GROUP" {
			members = []string{"A", "B"}
		}
		s.apply(e, members, noon.Add(time.Duration(i)*time.Minute))
	}
	return s
}

func TestStatesAfterLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		lines []string
		want  string
	}{
		{"the last line counts", []string{`INSTANCE "A" BACKUP 1`, `INSTANCE "A" MASTER 1`, `INSTANCE "A" FAULT 1`}, "A FAULT"},
		{"each instance has its own state", []string{`INSTANCE "A" STOP 1`, `INSTANCE "B" DELETED 1`}, "A STOP, B DELETED"},
		{"an unknown word changes nothing", []string{`INSTANCE "A" MASTER 1`, `INSTANCE "A" WHO_KNOWS 1`}, "A MASTER"},
		{"UNKNOWN changes nothing", []string{`INSTANCE "A" MASTER 1`, `INSTANCE "A" UNKNOWN 1`}, "A MASTER"},
		{"a BACKUP_PRIORITY line changes nothing", []string{`INSTANCE "A" MASTER 1`, `INSTANCE "A" BACKUP_PRIORITY 1`}, "A MASTER"},
		{"a MASTER_PRIORITY line changes nothing", []string{`INSTANCE "A" BACKUP 1`, `INSTANCE "A" MASTER_PRIORITY 1`}, "A BACKUP"},
		{"a MASTER_PRIORITY line does not add an instance", []string{`INSTANCE "A" MASTER_PRIORITY 1`}, ""},
		{"an instance that hears a rival is MASTER", []string{`INSTANCE "A" BACKUP 1`, `INSTANCE "A" MASTER_RX_LOWER_PRI 1`}, "A MASTER"},
		{"a group's MASTER_RX_LOWER_PRI changes nothing", []string{`GROUP "G" MASTER_RX_LOWER_PRI 0`}, ""},
		{"a group's FAULT applies to all members", []string{`INSTANCE "A" MASTER 1`, `INSTANCE "B" MASTER 1`, `GROUP "G" FAULT 0`}, "A FAULT, B FAULT"},
		{"a group's BACKUP also applies to members without a state", []string{`GROUP "G" BACKUP 0`}, "A BACKUP, B BACKUP"},
		{"a group's MASTER applies only to members without a state", []string{`INSTANCE "A" BACKUP 1`, `GROUP "G" MASTER 0`}, "A BACKUP, B MASTER"},
		{"a group's priority changes nothing", []string{`INSTANCE "A" MASTER 1`, `GROUP "G" BACKUP_PRIORITY 0`}, "A MASTER"},
	} {
		want := format(Snapshot{Instances: nil}) + " " + c.want
		if c.want == "" {
			want = format(Snapshot{})
		}
		if got := format(Snapshot{Instances: statesAfter(t, c.lines...)}); got != want {
			t.Errorf("%s: got %q, want %q", c.what, got, want)
		}
	}
}

func TestClaimsRivalsAndSince(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		lines []string
		want  Status
	}{
		{"each MASTER is a claim, but Since is the time of the first", []string{`INSTANCE "A" MASTER 1`, `INSTANCE "A" MASTER 1`}, Status{State: Master, Since: noon, Claims: 2}},
		{"a rival adds no claim", []string{`INSTANCE "A" MASTER 1`, `INSTANCE "A" MASTER_RX_LOWER_PRI 1`}, Status{State: Master, Since: noon, Claims: 1, Rivals: 1}},
		{"a rival adds a claim if MASTER was missed", []string{`INSTANCE "A" MASTER_RX_LOWER_PRI 1`}, Status{State: Master, Since: noon, Claims: 1, Rivals: 1}},
		{"a group's MASTER adds no claim to a MASTER", []string{`INSTANCE "A" MASTER 1`, `GROUP "G" MASTER 0`}, Status{State: Master, Since: noon, Claims: 1}},
		{"a change has its own time", []string{`INSTANCE "A" MASTER 1`, `INSTANCE "A" BACKUP 1`}, Status{State: Backup, Since: noon.Add(time.Minute), Claims: 1}},
	} {
		got := statesAfter(t, c.lines...)["A"]
		got.claimed = time.Time{} // matters only after a standstill
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.what, got, c.want)
		}
	}
}

func TestALineOrConfirmEndsASuspension(t *testing.T) {
	t.Parallel()
	s := statesAfter(t, `INSTANCE "A" MASTER 1`, `INSTANCE "B" MASTER 1`, `INSTANCE "C" MASTER 1`, `INSTANCE "D" MASTER 1`)
	s.suspend()
	later := noon.Add(time.Hour)
	s.apply(Event{"INSTANCE", "A", "BACKUP", 1}, nil, later)
	s.apply(Event{"INSTANCE", "B", "MASTER_RX_LOWER_PRI", 1}, nil, later)
	s.apply(Event{"INSTANCE", "C", "BACKUP_PRIORITY", 1}, nil, later) // 2.2.7 writes this for a MASTER on a reload
	if got, want := format(Snapshot{Instances: s}), "no writer: A BACKUP, B MASTER, C MASTER?, D MASTER?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.confirm(func(name string) bool { return name == "D" }, later)
	if got, want := format(Snapshot{Instances: s}), "no writer: A BACKUP, B MASTER, C unknown, D MASTER"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := s["C"].Since; !got.Equal(later) {
		t.Errorf("unknown since: got %v, want %v", got, later)
	}
	if got := s["D"]; got.Since.Equal(later) || got.Claims != 1 {
		t.Errorf("got %+v, want Since and Claims unchanged", got)
	}
}

func TestAnUnknownStateIsNeverUnconfirmed(t *testing.T) {
	t.Parallel()
	s := statesAfter(t, `INSTANCE "A" MASTER 1`)
	s.suspend()
	s.confirm(func(string) bool { return false }, noon)
	s.suspend()
	if s.unconfirmed() {
		t.Errorf("got %q, want nothing suspended", format(Snapshot{Instances: s}))
	}
}

func TestStatesAreWrittenAsKeepalivedWritesThem(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]string{Unknown: "unknown", Master: "MASTER", Backup: "BACKUP", Fault: "FAULT", Stop: "STOP", Deleted: "DELETED", -1: "State(-1)", 6: "State(6)"} {
		if got := state.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
