package keepalived

import (
	"maps"
	"testing"
	"time"
)

func TestStatsCountLinesByKind(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	wr.say(
		`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`, `INSTANCE "A" BACKUP 100`, `INSTANCE "A" MASTER_RX_LOWER_PRI 100`,
		`INSTANCE "A" BACKUP_PRIORITY 90`, `INSTANCE "A" WHO_KNOWS 90`, `GROUP "G" FAULT 0`, `VS [192.0.2.1]:tcp:80 UP`, `ANYTHING`, `nonsense`, ``,
	)
	env.step(0)
	got := env.Stats()
	want := map[EventKind]uint64{
		{"INSTANCE", "MASTER"}: 2, {"INSTANCE", "BACKUP"}: 1, {"INSTANCE", "MASTER_RX_LOWER_PRI"}: 1,
		{"INSTANCE", "BACKUP_PRIORITY"}: 1, {"INSTANCE", "other"}: 1, {"GROUP", "FAULT"}: 1, {"other", ""}: 2,
	}
	if !maps.Equal(got.Events, want) || got.BadLines != 2 {
		t.Errorf("got %v and %d bad lines, want %v and 2", got.Events, got.BadLines, want)
	}
	if state := got.Instances["B"].State; state != Fault {
		t.Errorf("B: got %v, want FAULT, as its group's line says", state)
	}
}

func TestStatsReportWhetherTheFIFOHasAWriter(t *testing.T) {
	env := newEnvWithFIFO(t)
	env.step(0)
	is := func(connected bool) {
		t.Helper()
		if got := env.Stats(); got.Connected != connected {
			t.Errorf("got connected %v, want %v", got.Connected, connected)
		}
	}
	is(false)
	wr := env.writer()
	env.step(time.Minute)
	is(true)
	wr.say(`INSTANCE "A" MASTER 100`)
	env.step(time.Minute)
	is(true)
	wr.close()
	env.step(time.Minute)
	is(false)
}

func TestEveryStateHasACounter(t *testing.T) {
	t.Parallel()
	var c eventCounters
	if got, want := len(c.instance), len(eventStates())+1; got != want {
		t.Fatalf("got %d counters, want %d", got, want)
	}
	for state := Backup; state <= Deleted; state++ {
		c.count(Event{Type: typeInstance, State: state.String()})
		if got := c.kinds()[EventKind{typeInstance, state.String()}]; got != 1 {
			t.Errorf("%v: got %d, want 1", state, got)
		}
	}
}

func TestStatsCanBeReadWhileTheListenerRuns(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	env.run()
	for i := range uint64(100) {
		wr.say(`INSTANCE "A" MASTER 100`)
		env.settle()
		got := env.Stats()
		if kind := (EventKind{"INSTANCE", "MASTER"}); got.Events[kind] != i+1 || got.Instances["A"].Claims != i+1 {
			t.Fatalf("got %d lines and %d claims, want %d of both", got.Events[kind], got.Instances["A"].Claims, i+1)
		}
	}
}
