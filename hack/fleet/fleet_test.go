// Package fleet asks in fake time what a whole fleet of hosts costs the API of one account.
//
// Its hosts are floaty's own parts, put together as cmd/floaty does; only the cloud and Keepalived are made up. Tests keep a
// small fleet honest; with FLOATY_FLEET=1000 in the environment, TestTable measures one of that many hosts and prints what
// hack/decisions/008 says. The package holds nothing but tests.
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
	perHost  = 10 // addresses of which a host is MASTER in the quiet
)

// A plan is what a fleet is to be. Hosts come in pairs, one in each of two zones; each of a pair is MASTER of an instance
// with perHost addresses and BACKUP of the other's: 1,000 hosts hold 10,000 addresses, and each of them watches 20.
type plan struct {
	hosts    int
	together bool    // all hosts start in the same instant, not spread over an interval
	limit    limit   // of the account
	spread   float64 // share by which hosts lengthen what they are told to wait, at most
}

// A fleet is all hosts of an account, and the account.
type fleet struct {
	t     *testing.T
	cloud *cloud
	hosts []*host
}

// simulate tells a story about a fleet in a bubble of fake time.
func simulate(t *testing.T, p plan, tell func(f *fleet)) {
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
		tell(f)
		stop()
		lives.Wait()
		for _, wrong := range f.cloud.wrongs() {
			t.Error(wrong)
		}
	})
}

// addresses returns those of which the host is MASTER in the quiet.
func addresses(host int) []netip.Addr {
	var addrs []netip.Addr
	for n := range perHost {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, byte(host >> 8), byte(host), byte(n + 1)})) //nolint:gosec // 65536 hosts at most
	}
	return addrs
}

// within draws a time.
func within(from, to time.Duration) time.Duration {
	return from + rand.N(to-from) //nolint:gosec // spreads load, guards nothing
}

// failZone lets one host of each pair die in this instant. The other hears of it from VRRP: it misses three
// advertisements, a second apart, and a skew by its priority. It returns when all of them have been declared MASTER.
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

// settled waits until every address is with its master, for that long at most, and says whether it came to that.
func (f *fleet) settled(most time.Duration) bool {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(time.Second) {
		if f.cloud.misplaced() == 0 {
			return true
		}
	}
	return false
}

// alive returns the hosts of the zone that does not fail.
func (f *fleet) alive() int { return len(f.hosts) / 2 }

// calls returns what was called in each second from a time on.
func (f *fleet) calls(since time.Time) seconds { return f.cloud.since(since) }
