package keepalived

import (
	"testing"
	"time"
)

// The listener sees no end of file if the next writer opens the FIFO before the last one closes it, and no end of a process that it does
// not know yet.
func TestTheResultOfASearchIsOfNoUseOnceAnotherProcessIsTheWriter(t *testing.T) {
	for _, c := range []struct {
		what  string
		leave func(first *fakeVRRP)
		local bool
		want  string // after the next process said MASTER
	}{
		{"it has ended", (*fakeVRRP).kill, true, "writer: A MASTER, B unknown"},
		{"it has closed the FIFO", (*fakeVRRP).closeFIFO, true, "writer: A MASTER, B unknown"},
		{"no address is local", (*fakeVRRP).kill, false, "writer: A unknown, B unknown"},
	} {
		t.Run(c.what, func(t *testing.T) {
			env := newEnvWithFIFO(t)
			env.setVIP("A", c.local)
			first := env.keepalivedWithoutPIDFile()
			first.say(`INSTANCE "B" MASTER 100`)
			env.step(0) // a search finds it
			next := env.keepalivedWithoutPIDFile()
			c.leave(first)
			next.say(`INSTANCE "A" MASTER 255`)
			env.step(0) // sees the result
			env.wantLast("writer: A MASTER?, B MASTER?")
			env.step(settleTime)
			env.wantLast(c.want)
			first.kill()
			env.step(checkEvery)
			env.wantLast(c.want)
			if got, want := env.last().PID, next.cmd.Process.Pid; got != want {
				t.Errorf("got process %d, want %d", got, want)
			}
		})
	}
}

func TestASearchThatBeganBeforeTheWriterCameIsRepeated(t *testing.T) {
	env := newEnvWithFIFO(t)
	wr := env.writer()
	env.step(0)
	if p := <-env.trust.vrrp.search.found; p != nil {
		t.Fatalf("got process %d, want none", p.PID)
	}
	slow := make(chan *Process, 1)
	env.trust.vrrp.search.found = slow
	wr.close()
	env.pass(env.now.Add(time.Millisecond))
	k := env.keepalivedWithoutPIDFile()
	env.pass(env.now.Add(probeEvery))
	slow <- nil
	env.step(2 * probeEvery)
	env.step(probeEvery)
	if got, want := env.last().PID, k.cmd.Process.Pid; got != want {
		t.Errorf("got process %d, want %d", got, want)
	}
}
