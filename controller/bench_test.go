package controller

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"floaty/desired"
	"floaty/desired/keepalived"
	"floaty/observed"
	"floaty/providers"
)

// An instantCloud answers immediately and reports each write.
type instantCloud struct {
	holder  string
	written chan netip.Addr
}

func (c *instantCloud) Server(context.Context) (string, error) { return here, nil }

func (c *instantCloud) Read(_ context.Context, addrs []netip.Addr) (map[netip.Addr]providers.Holding, error) {
	answer := make(map[netip.Addr]providers.Holding, len(addrs))
	servers := []string{c.holder}
	for _, addr := range addrs {
		answer[addr] = providers.Holding{Servers: servers}
	}
	return answer, nil
}

func (c *instantCloud) Assign(_ context.Context, addr netip.Addr, _ string, _ []string) error {
	c.written <- addr
	return nil
}

// startBench starts a controller for instances that each want the given number of addresses. It returns once all have been read.
func startBench(b *testing.B, c *instantCloud, instances, addresses int) (*desired.State, *Controller, map[string]keepalived.Status) {
	b.Helper()
	state := &desired.State{}
	wanted := map[string][]netip.Addr{}
	states := map[string]keepalived.Status{}
	addr := netip.MustParseAddr("10.0.0.1")
	for i := range instances {
		name := fmt.Sprint("VI_", i)
		wanted[name] = following(addr, addresses)
		states[name] = keepalived.Status{State: keepalived.Backup}
		addr = wanted[name][addresses-1].Next()
	}
	state.SetServer(here)
	state.SetSettings(desired.Settings{Instances: wanted})
	state.SetKeepalived(states)
	backOff := observed.BackOff{Initial: time.Second, Multiplier: 1.1, Max: 10 * time.Second}
	var ctl *Controller
	see := observed.New(observed.Options{
		Provider: c, Addresses: state.Addresses, Interval: time.Hour, Timeout: 10 * time.Second,
		BackOff: backOff, Found: func(string) {}, OnRead: func(addrs []netip.Addr) { ctl.ReadDone(addrs) }, Log: logr.Discard(),
	})
	ctl = New(Options{
		Desired: state, Observed: see, Provider: c, Interval: time.Hour, Timeout: 10 * time.Second,
		BackOff: backOff, Concurrent: 100, Log: logr.Discard(),
	})
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{}, 2)
	go func() { see.Run(ctx); done <- struct{}{} }()
	go func() { ctl.Run(ctx); done <- struct{}{} }()
	b.Cleanup(func() { stop(); <-done; <-done })
	last := addr.Prev()
	for _, known := see.Last(last); !known; _, known = see.Last(last) {
		time.Sleep(time.Millisecond)
	}
	waitForEmptyQueue(ctl)
	return state, ctl, states
}

// waitForEmptyQueue returns when no address is queued.
func waitForEmptyQueue(c *Controller) {
	for c.queue.Len() > 0 {
		runtime.Gosched()
	}
}

// BenchmarkMasterLineToAssign measures the time from a new state of an instance to the provider's Assign, for one address of many.
// An address may be written only four times in a row, so -benchtime must stay below 4 × 1000 iterations.
func BenchmarkMasterLineToAssign(b *testing.B) {
	c := &instantCloud{holder: there, written: make(chan netip.Addr)}
	state, ctl, states := startBench(b, c, 1000, 1)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		name := fmt.Sprint("VI_", i%len(states))
		b.StopTimer()
		states[name] = keepalived.Status{State: keepalived.Backup, Claims: uint64(i)}
		before := clone(states)
		ctl.Enqueue(state.SetKeepalived(before).Addresses()...)
		waitForEmptyQueue(ctl)
		states[name] = keepalived.Status{State: keepalived.Master, Claims: uint64(i + 1)}
		after := clone(states)
		b.StartTimer()
		ctl.Enqueue(state.SetKeepalived(after).Addresses()...)
		<-c.written
	}
}

func clone(states map[string]keepalived.Status) map[string]keepalived.Status {
	copied := make(map[string]keepalived.Status, len(states))
	for name, is := range states {
		copied[name] = is
	}
	return copied
}

// BenchmarkHolding10000Addresses measures one shared read of ten thousand addresses that are all in place.
func BenchmarkHolding10000Addresses(b *testing.B) {
	c := &instantCloud{holder: here, written: make(chan netip.Addr, 10_000)}
	state, ctl, states := startBench(b, c, 10, 1000)
	masters := map[string]keepalived.Status{}
	for name := range states {
		masters[name] = keepalived.Status{State: keepalived.Master, Claims: 1}
	}
	ctl.Enqueue(state.SetKeepalived(masters).Addresses()...)
	waitForEmptyQueue(ctl)
	time.Sleep(100 * time.Millisecond)
	addrs := state.Addresses()
	b.ReportAllocs()
	for b.Loop() {
		now, see := time.Now(), ctl.opts.Observed
		for _, addr := range addrs {
			see.ScheduleRead(now, addr)
		}
		if _, pending, err := see.Read(addrs[0], now); !pending {
			b.Fatalf("got %v, want a pending read", err)
		}
		for r, _ := see.Last(addrs[0]); r.At.Before(now); r, _ = see.Last(addrs[0]) {
			runtime.Gosched()
		}
		for ctl.queue.Len() == 0 {
			runtime.Gosched()
		}
		waitForEmptyQueue(ctl)
	}
}
