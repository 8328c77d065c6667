package faults

import (
	"time"
)

const (
	during  = 1500 * time.Millisecond // how long a fault lasts, longer than refresh-timeout
	enough  = 5 * time.Second         // limit for the recovery after a fault, and for unaffected addresses during it
	onTheGo = 250 * time.Millisecond  // for a request that was in progress when Keepalived wrote BACKUP
)

// A phase is a part of a host's life.
type phase struct {
	name   string
	holder string // of the addresses at first
	run    func(s *scenario)
}

func phases() []phase {
	return []phase{
		{"start", rival, (*scenario).start},
		{"settled", rival, (*scenario).settled},
		{"takeover", rival, (*scenario).takeover},
		{"demotion", rival, (*scenario).demotion},
		{"standby", rival, (*scenario).standby},
	}
}

// A scenario is one fault of one call in one phase.
type scenario struct {
	*env
	host  *host
	call  call
	fault fault
	hits  int
	took  time.Duration // from the end of the fault until all addresses were here; 0: they already were
}

// start: the fault begins before floaty starts, and floaty is MASTER from its first moment.
func (s *scenario) start() {
	s.breaks(s.call, s.fault)
	s.host = s.startHost()
	s.host.says("MASTER")
	s.othersAreNotHeldUp()
	s.recovers()
}

// settled: the addresses are here, and a rival takes them while calls fail.
func (s *scenario) settled() {
	s.host = s.startHost()
	s.host.says("MASTER")
	s.soon("both addresses are here and the cloud is quiet", enough, func() bool { return s.heldBy(here, one, two) && s.quiet() })
	s.breaks(s.call, s.fault)
	s.rivalTakes()
	time.Sleep(during)
	s.recovers()
}

// takeover: a standby becomes MASTER while calls fail. Its earlier readings suffice for that.
func (s *scenario) takeover() {
	s.standsBy()
	s.breaks(s.call, s.fault)
	s.host.says("MASTER")
	if s.call.aside && !s.fault.wide {
		s.soon("both addresses are here although reads fail", enough, func() bool { return s.heldBy(here, one, two) })
	}
	s.othersAreNotHeldUp()
	s.recovers()
}

// demotion: another host becomes MASTER while the takeover is in progress or waits for a retry. Later this host is MASTER again.
func (s *scenario) demotion() {
	s.standsBy()
	s.breaks(s.call, s.fault)
	s.host.says("MASTER")
	time.Sleep(during / 3)
	s.host.says("BACKUP")
	demoted := time.Now()
	s.rivalTakes()
	late := sleep(during / 3)
	s.hits = s.heal()
	time.Sleep(during)
	if n := s.writesSince(demoted.Add(onTheGo + 4*late)); n > 0 {
		s.t.Errorf("got %d writes after BACKUP, want none", n)
	}
	s.host.says("MASTER")
	s.took = s.soon("both addresses are here", enough, func() bool { return s.heldBy(here, one, two) })
}

// standby: calls fail while the host is a standby, which writes nothing. Then it becomes MASTER.
func (s *scenario) standby() {
	s.standsBy()
	s.breaks(s.call, s.fault)
	time.Sleep(during)
	s.hits = s.heal()
	if n := s.writesSince(time.Time{}); n > 0 {
		s.t.Errorf("got %d writes of a standby, want none", n)
	}
	s.host.says("MASTER")
	s.took = s.soon("both addresses are here", enough, func() bool { return s.heldBy(here, one, two) })
}

// sleep sleeps, and returns the worst delay of its wake-ups: on a busy machine, a request that was sent in time arrives at least that
// much later.
func sleep(d time.Duration) (late time.Duration) {
	const step = time.Millisecond
	for began := time.Now(); time.Since(began) < d; {
		at := time.Now()
		time.Sleep(step)
		late = max(late, time.Since(at)-step)
	}
	return late
}

func (s *scenario) standsBy() {
	s.t.Helper()
	s.host = s.startHost()
	s.host.says("BACKUP")
	s.soon("floaty has read the cloud", enough, s.quiet)
}

func (s *scenario) rivalTakes() {
	s.Cloud.Move(one, rival)
	s.Cloud.Move(two, rival)
}

// othersAreNotHeldUp waits, during the fault, until the address that it does not affect is here.
func (s *scenario) othersAreNotHeldUp() {
	s.t.Helper()
	began := time.Now()
	if s.call.one && !s.fault.wide {
		s.soon("the other address is here although writes of this one fail", enough, func() bool { return s.heldBy(here, two) })
	}
	time.Sleep(during - time.Since(began))
}

// recovers ends the fault and waits until all addresses are here.
func (s *scenario) recovers() {
	s.t.Helper()
	before := s.heldBy(here, one, two)
	s.hits = s.heal()
	s.took = s.soon("both addresses are here", enough, func() bool { return s.heldBy(here, one, two) })
	if before {
		s.took = 0
	}
}
