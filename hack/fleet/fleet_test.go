// Package fleet measures, in fake time, how many API calls a fleet of hosts makes to one account.
//
// Each host consists of floaty's own packages, connected as in cmd/floaty; only the cloud and Keepalived are simulated. The tests
// run a small fleet. With FLOATY_FLEET=1000 in the environment, TestTable measures a fleet of 1,000 hosts and prints the table of
// hack/decisions/008. This package contains only tests.
package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	interval = time.Minute // refresh-interval
	trip     = 100 * time.Millisecond
	perHost  = 10 // addresses that a host is MASTER of while nothing fails
)

// A plan describes a fleet. Hosts come in pairs, with one host in each of two zones. Each host is MASTER of an instance with perHost
// addresses and BACKUP of its peer's instance. So 1,000 hosts hold 10,000 addresses, and each of them reads 20.
type plan struct {
	hosts    int
	together bool    // all hosts start at the same instant instead of spread over an interval
	limit    limit   // of the account
	spread   float64 // maximum share by which hosts lengthen a wait imposed by the cloud
}

// A fleet is an account with all its hosts.
type fleet struct {
	t     *testing.T
	cloud *cloud
	hosts []*host
}

// simulate runs a test of a fleet with fake time.
func simulate(t *testing.T, p plan, run func(f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t: t, cloud: newCloud(p.limit)}
		for i := range p.hosts {
			f.hosts = append(f.hosts, newHost(f.cloud, fmt.Sprintf("host-%04d", i), addresses(i), addresses(i^1), p.spread))
		}
		ctx, stop := context.WithCancel(t.Context())
		var lives sync.WaitGroup
		for _, h := range f.hosts {
			var delay time.Duration
			if !p.together {
				delay = within(0, interval)
			}
			lives.Go(func() { h.live(ctx, delay) })
		}
		run(f)
		stop()
		lives.Wait()
		for _, wrong := range f.cloud.violations() {
			t.Error(wrong)
		}
	})
}

// addresses returns the addresses that a host is MASTER of while nothing fails.
func addresses(host int) []netip.Addr {
	var addrs []netip.Addr
	for n := range perHost {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, byte(host >> 8), byte(host), byte(n + 1)})) //nolint:gosec // 65536 hosts at most
	}
	return addrs
}

// within returns a random duration.
func within(from, to time.Duration) time.Duration {
	return from + rand.N(to-from) //nolint:gosec // spreads load, guards nothing
}

// failZone kills one host of each pair at this instant. Its peer becomes MASTER as in VRRP: after three missed advertisements, which are sent
// once per second, and a skew that depends on its priority. failZone returns once all peers are MASTER.
func (f *fleet) failZone() {
	var heirs sync.WaitGroup
	for i, dead := range f.hosts {
		if i%2 == 0 {
			continue
		}
		f.cloud.elect("", dead.own)
		close(dead.dead)
		heirs.Go(func() {
			time.Sleep(within(3000*time.Millisecond, 3600*time.Millisecond))
			f.hosts[i-1].inherit()
		})
	}
	heirs.Wait()
}

// settled waits until every address points at its MASTER, at most for the given time, and reports whether that happened.
func (f *fleet) settled(most time.Duration) bool {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(time.Second) {
		if f.cloud.misplaced() == 0 {
			return true
		}
	}
	return false
}

// alive returns how many hosts are left after failZone.
func (f *fleet) alive() int { return len(f.hosts) / 2 }

// calls returns the calls of each second since a time.
func (f *fleet) calls(since time.Time) seconds { return f.cloud.since(since) }
