package providers

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"floaty/providers/failurelog"
	"floaty/providers/logkey"
)

// MaxWait is the longest time that a cloud's Retry-After is obeyed: longer ones are taken for a mistake.
const MaxWait = 5 * time.Minute

// PacedOptions says how [Paced] waits.
type PacedOptions struct {
	// MaxInterval is the time between two probes while the credential is not accepted; above 0.
	MaxInterval time.Duration
	// Spread is the share by which a Retry-After is lengthened at most, drawn once a wait, so that hosts that were refused
	// together do not return together; 0: not at all.
	Spread float64
	// Resumed is called when a wait because of the credential ends, and when the credential changes, so that what waits can be
	// looked at again at once.
	// It may be nil. It may call methods of Paced.
	Resumed func()
	Log     logr.Logger
}

// Paced stands before a provider and makes no call while the cloud does not want any. It refuses with a [*WaitError]
// that tells the time remaining.
//
//   - A *WaitError of the provider (429 or 503 with Retry-After) holds back every Read and Assign until it is over,
//     lengthened by a share that is drawn, [MaxWait] at most in all. Of several, the latest end counts.
//   - [ErrUnauthorized] holds back every Read and Assign but one probe each MaxInterval, until the cloud accepts one or
//     the credential changes. It is returned as a *WaitError too, since all addresses wait for the same thing.
//   - Answers to calls that were begun before the credential changed, or before what is known of it changed, neither
//     start nor end that wait.
//   - A probe that hangs or is cancelled holds up no other longer than MaxInterval.
//   - Whatever waits, there is one line when it starts, reminders at a growing distance, and one line when it ends.
//
// Server is passed on always: it asks no API. Create it with [NewPaced].
type Paced struct {
	provider Provider
	opts     PacedOptions

	mu           sync.Mutex       // guards all below
	until        time.Time        // no call before, by Retry-After
	reason       error            // of until
	drawn        float64          // by which share the present wait is lengthened
	waits        failurelog.Entry // Retry-After came, and no call begun after its end was accepted yet
	unauthorized error            // why the credential is not accepted; nil: it is, as far as known
	rejects      failurelog.Entry // of unauthorized
	probe        time.Time        // the next probe may be made then
	hurry        bool             // one probe need not wait for that
	generation   uint64           // of what is known of the credential
}

// A pass lets one call through.
type pass struct {
	at         time.Time
	generation uint64
}

// NewPaced returns a Paced before p.
func NewPaced(p Provider, opts PacedOptions) *Paced { return &Paced{provider: p, opts: opts} }

// Server returns the ID of the server that this process runs on.
func (p *Paced) Server(ctx context.Context) (string, error) { return p.provider.Server(ctx) }

// Read reads addrs, unless it has to wait. An address whose error concerns the whole cloud holds back all of it.
func (p *Paced) Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]Holding, error) {
	by, err := p.enter()
	if err != nil {
		return nil, err
	}
	holdings, err := p.provider.Read(ctx, addrs)
	if err != nil {
		return holdings, p.leave(by, err)
	}
	_ = p.leave(by, gravest(holdings)) // the address carries it
	return holdings, nil
}

// Assign assigns addr, unless it has to wait.
func (p *Paced) Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error {
	by, err := p.enter()
	if err != nil {
		return err
	}
	return p.leave(by, p.provider.Assign(ctx, addr, server, seen))
}

// Probe lets one call through at once though the credential was not accepted, for when one is worth a try. It has no
// effect on Retry-After.
func (p *Paced) Probe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hurry = p.unauthorized != nil
}

// CredentialChanged says that calls from now on are made with another credential. Whatever was known of the one before,
// Resumed is called: a cloud may have refused it call by call (Exoscale says 403), and those waits end too.
func (p *Paced) CredentialChanged() {
	p.mu.Lock()
	p.generation++
	held := p.unauthorized != nil
	p.unauthorized = nil
	p.rejects = failurelog.Entry{}
	p.mu.Unlock()
	if held {
		p.opts.Log.Info("the credential changed: calling the cloud again")
	}
	p.resume()
}

// Inherit takes over from the Paced before the same cloud that p replaces for how long that has asked to wait.
func (p *Paced) Inherit(from *Paced) {
	from.mu.Lock()
	until, reason, waits := from.until, from.reason, from.waits
	from.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until, p.reason, p.waits = until, reason, waits
}

// enter lets a call through or says how long it has to wait.
func (p *Paced) enter() (pass, error) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.until.Sub(now); wait > 0 {
		return pass{}, &WaitError{Wait: wait, Err: p.reason}
	}
	if p.unauthorized != nil {
		if wait := p.probe.Sub(now); wait > 0 && !p.hurry {
			return pass{}, &WaitError{Wait: wait, Err: p.unauthorized}
		}
		p.probe, p.hurry = now.Add(p.opts.MaxInterval), false
	}
	return pass{now, p.generation}, nil
}

// leave draws the conclusions from a call's answer and returns what its caller is told.
func (p *Paced) leave(by pass, err error) error {
	var told *WaitError
	switch {
	case errors.As(err, &told):
		return p.wait(told)
	case errors.Is(err, ErrUnauthorized):
		return p.reject(by, err)
	case errors.Is(err, ErrNotWritten): // no call was made: another one may be the probe
		p.Probe()
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrRefused): // the last two read it before declining
		p.accept(by)
	}
	return err
}

// wait starts a wait by Retry-After, or prolongs it.
func (p *Paced) wait(told *WaitError) error {
	now := time.Now()
	p.mu.Lock()
	if !now.Before(p.until) { // answers to calls side by side must not each draw: the longest would win
		p.drawn = p.opts.Spread * rand.Float64() //nolint:gosec // spreads load, guards nothing
	}
	if end := now.Add(spread(told.Wait, p.drawn)); end.After(p.until) {
		p.until, p.reason = end, told.Err
	}
	left, say := p.until.Sub(now), p.waits.Failed(now)
	p.mu.Unlock()
	if say {
		p.opts.Log.Error(told.Err, "the cloud asks to wait: not calling it", logkey.Wait, left)
	}
	return &WaitError{Wait: left, Err: told.Err}
}

// spread returns a wait that is longer by the drawn share, as far as MaxWait allows. One that is over MaxWait, a mistake, is
// cut to it less a share, so that not all return together then.
func spread(told time.Duration, drawn float64) time.Duration {
	if told >= MaxWait {
		return MaxWait - time.Duration(drawn*float64(MaxWait)/5)
	}
	return min(told+time.Duration(drawn*float64(told)), MaxWait)
}

// reject starts a wait by a credential that is not accepted, or keeps it up.
func (p *Paced) reject(by pass, err error) error {
	now := time.Now()
	p.mu.Lock()
	first := p.unauthorized == nil
	if first && by.generation != p.generation { // it is about a credential that is no longer used
		p.mu.Unlock()
		return err
	}
	if first {
		p.generation++
		p.unauthorized, p.hurry = err, false
	}
	if !p.probe.After(now) || first {
		p.probe = now.Add(p.opts.MaxInterval)
	}
	left, say := p.probe.Sub(now), p.rejects.Failed(now)
	p.mu.Unlock()
	if say {
		p.opts.Log.Error(err, "the cloud does not accept the credential: only probing it", logkey.Wait, left)
	}
	return &WaitError{Wait: left, Err: err}
}

// accept ends the waits that this answer shows to be over.
func (p *Paced) accept(by pass) {
	p.mu.Lock()
	calm := !by.at.Before(p.until) && p.waits.Succeeded(time.Now())
	held := p.unauthorized != nil && by.generation == p.generation
	if held {
		p.unauthorized = nil
		p.rejects = failurelog.Entry{}
		p.generation++
	}
	p.mu.Unlock()
	if calm {
		p.opts.Log.Info("the cloud takes calls again")
	}
	if held {
		p.opts.Log.Info("the cloud accepts the credential again")
		p.resume()
	}
}

func (p *Paced) resume() {
	if p.opts.Resumed != nil {
		p.opts.Resumed()
	}
}

// gravest returns an error among holdings that concerns the whole cloud; nil if there is none.
func gravest(holdings map[netip.Addr]Holding) error {
	var gravest error
	for _, h := range holdings {
		var told *WaitError
		if errors.As(h.Err, &told) {
			return h.Err
		}
		if errors.Is(h.Err, ErrUnauthorized) {
			gravest = h.Err
		}
	}
	return gravest
}
