package providers

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

// MaxWait is the longest Retry-After that floaty obeys. A longer one is taken for a mistake.
const MaxWait = 5 * time.Minute

// PacedOptions configures [NewPaced].
type PacedOptions struct {
	// MaxInterval is the time between two probes while the credential is not accepted. It must be above 0.
	MaxInterval time.Duration
	// Spread lengthens each Retry-After by a random share of at most this much, so that hosts that were refused together do
	// not return together. 0 turns it off; 0.5 adds up to half.
	Spread float64
	// Resumed is called when the credential is accepted again, and when it changes, so that whatever waits can be tried at
	// once. It may be nil, and it may call methods of Paced.
	Resumed func()
	Log     logr.Logger
}

// Paced wraps a provider and holds its calls back while the cloud does not want any. A call that is held back is not made: it returns a
// [*WaitError] with the time remaining.
//
//   - After a *WaitError from the provider (429 or 503 with Retry-After), every Read and Assign is held back until that time has
//     passed, plus a random share of it, [MaxWait] at most. If several arrive, the latest end counts.
//   - After [ErrUnauthorized], every Read and Assign is held back except for one probe per MaxInterval, until the cloud accepts a
//     probe or the credential changes. Callers get a *WaitError here too, because all addresses wait for the same thing.
//   - An answer to a call that began before the credential changed, or before its state was last updated, neither starts nor ends
//     that wait.
//   - A probe that hangs or is cancelled delays the next one by MaxInterval at most.
//   - Each kind of wait is logged once when it begins, with reminders at growing intervals, and once when it ends.
//
// Server always passes, because it does not call the API. Create a Paced with [NewPaced].
type Paced struct {
	provider Provider
	opts     PacedOptions
	probeNow atomic.Bool // the next probe need not wait; set without mu, because a MASTER line must not wait for mu

	mu         sync.Mutex // guards all below
	throttle   throttle
	credential credential
}

// A throttle is the wait that the cloud asked for with Retry-After. Its zero value is none.
type throttle struct {
	until  time.Time        // no call before then
	reason error            // of until
	jitter float64          // the share by which the present wait was lengthened
	log    failurelog.Entry // a Retry-After was received, and no call that began after its end has succeeded yet
}

// A credential is what is known about the credential with which calls are made.
type credential struct {
	rejected   error            // why it is not accepted; nil: as far as known, it is
	log        failurelog.Entry // of rejected
	probe      time.Time        // when the next probe may be made; set while rejected is
	generation uint64           // counts the changes of what is known
}

// unrejected returns what is known of a credential that is accepted again, or is another one.
func (c credential) unrejected() credential { return credential{generation: c.generation + 1} }

// A ticket lets one call through.
type ticket struct {
	at         time.Time
	generation uint64
}

// NewPaced returns a Paced around p.
func NewPaced(p Provider, opts PacedOptions) *Paced { return &Paced{provider: p, opts: opts} }

// Server returns the ID of the server that this process runs on.
func (p *Paced) Server(ctx context.Context) (string, error) { return p.provider.Server(ctx) }

// Read reads addrs, unless it has to wait. If the error of a single address concerns the whole cloud, it holds back every later call.
func (p *Paced) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]Holding, error) {
	t, err := p.admit()
	if err != nil {
		return nil, err
	}
	holdings, err := p.provider.Read(ctx, addrs)
	if err != nil {
		return holdings, p.record(t, err)
	}
	_ = p.record(t, cloudWide(holdings)) // the address carries it
	return holdings, nil
}

// Assign assigns addr, unless it has to wait.
func (p *Paced) Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error {
	t, err := p.admit()
	if err != nil {
		return err
	}
	return p.record(t, p.provider.Assign(ctx, addr, server, seen))
}

// Probe lets the next call through at once even though the credential was not accepted. It does not shorten a Retry-After, and while the
// credential is accepted, it has no effect.
func (p *Paced) Probe() { p.probeNow.Store(true) }

// CredentialChanged tells Paced that calls are made with another credential from now on. It always calls Resumed: a cloud may
// also have refused the old credential call by call (Exoscale answers 403), and those waits end too.
func (p *Paced) CredentialChanged() {
	p.mu.Lock()
	blocked := p.credential.rejected != nil
	p.credential = p.credential.unrejected()
	p.mu.Unlock()
	if blocked {
		p.opts.Log.Info("the credential changed: calling the cloud again")
	}
	p.resume()
}

// Inherit makes p take over the Retry-After that still holds back the Paced it replaces.
func (p *Paced) Inherit(from *Paced) {
	from.mu.Lock()
	throttle := from.throttle
	from.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttle = throttle
}

// admit lets a call through, or returns how long it has to wait.
func (p *Paced) admit() (ticket, error) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.throttle.until.Sub(now); wait > 0 {
		return ticket{}, &WaitError{Wait: wait, Err: p.throttle.reason}
	}
	if c := &p.credential; c.rejected != nil {
		if wait := c.probe.Sub(now); !p.probeNow.Swap(false) && wait > 0 {
			return ticket{}, &WaitError{Wait: wait, Err: c.rejected}
		}
		c.probe = now.Add(p.opts.MaxInterval)
	}
	return ticket{now, p.credential.generation}, nil
}

// record notes what the answer to a call says about the cloud, and returns the error that the caller gets.
func (p *Paced) record(t ticket, err error) error {
	var told *WaitError
	switch {
	case errors.As(err, &told):
		return p.wait(told)
	case errors.Is(err, ErrUnauthorized):
		return p.reject(t, err)
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrRefused): // to decline a call, the cloud had to accept the credential
		p.accept(t)
	}
	return err
}

// wait begins a wait by Retry-After, or prolongs it.
func (p *Paced) wait(told *WaitError) error {
	now := time.Now()
	p.mu.Lock()
	t := &p.throttle
	if !now.Before(t.until) { // concurrent answers share one draw: with one each, the longest would always win
		t.jitter = p.opts.Spread * rand.Float64() //nolint:gosec // spreads load, guards nothing
	}
	if end := now.Add(spread(told.Wait, t.jitter)); end.After(t.until) {
		t.until, t.reason = end, told.Err
	}
	remaining, say := t.until.Sub(now), t.log.Failed(now)
	p.mu.Unlock()
	if say {
		p.opts.Log.Error(told.Err, "the cloud asks to wait: no call is made until then, not even for a takeover", logkey.Next, now.Add(remaining))
	}
	return &WaitError{Wait: remaining, Err: told.Err}
}

// spread lengthens a wait by the share jitter, up to MaxWait. A wait of MaxWait or more, which is taken for a mistake, becomes MaxWait less
// a fifth of the share, so that hosts still return at different times.
func spread(told time.Duration, jitter float64) time.Duration {
	if told >= MaxWait {
		return MaxWait - time.Duration(jitter*float64(MaxWait)/5)
	}
	return min(told+time.Duration(jitter*float64(told)), MaxWait)
}

// reject begins or prolongs the wait for a credential that is accepted.
func (p *Paced) reject(t ticket, err error) error {
	now := time.Now()
	p.mu.Lock()
	c := &p.credential
	first := c.rejected == nil
	if first && t.generation != c.generation { // about a credential that is no longer used
		p.mu.Unlock()
		return err
	}
	if first {
		c.generation++
		c.rejected = err
		p.probeNow.Store(false) // Probe was called before there was anything to probe
	}
	if !c.probe.After(now) || first {
		c.probe = now.Add(p.opts.MaxInterval)
	}
	remaining, say := c.probe.Sub(now), c.log.Failed(now)
	p.mu.Unlock()
	if say {
		p.opts.Log.Error(err, "the cloud does not accept the credential, so no address can be assigned: configure a valid one; it is tried now and then", logkey.Next, now.Add(remaining))
	}
	return &WaitError{Wait: remaining, Err: err}
}

// accept ends the waits that this answer proves to be over.
func (p *Paced) accept(t ticket) {
	p.mu.Lock()
	throttled := !t.at.Before(p.throttle.until) && p.throttle.log.Succeeded(time.Now())
	blocked := p.credential.rejected != nil && t.generation == p.credential.generation
	if blocked {
		p.credential = p.credential.unrejected()
	}
	p.mu.Unlock()
	if throttled {
		p.opts.Log.Info("the cloud takes calls again")
	}
	if blocked {
		p.opts.Log.Info("the cloud accepts the credential again")
		p.resume()
	}
}

func (p *Paced) resume() {
	if p.opts.Resumed != nil {
		p.opts.Resumed()
	}
}

// cloudWide returns an error of one of holdings that concerns the whole cloud: the longest wait, if there is any; nil if there is none.
func cloudWide(holdings map[netip.Addr]Holding) error {
	var longest *WaitError
	var rejected error
	for _, h := range holdings {
		var told *WaitError
		switch {
		case errors.As(h.Err, &told):
			if longest == nil || told.Wait > longest.Wait {
				longest = told
			}
		case errors.Is(h.Err, ErrUnauthorized):
			rejected = h.Err
		}
	}
	if longest != nil {
		return longest
	}
	return rejected
}
