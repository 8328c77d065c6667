// Package providers defines what a cloud must be able to do, and how it may refuse.
//
// It holds the interface that every cloud implements, the errors that the rest of floaty branches on, and two wrappers for
// any provider: [DryRun] writes nothing, and [Paced] holds calls back while the cloud asks for that. The package knows no
// particular cloud and makes no calls of its own. Nothing in it retries: the controller's queue repeats writes, and package
// observed repeats reads.
package providers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A Provider is one cloud, as seen from one of its servers. Its methods may be called from many goroutines at once. None of
// them retries, and each returns soon after its context ends. (Package httpapi may send a request a second time if it went to a
// reused connection that the server had dropped. That is part of one call.)
//
// A method's error wraps what the caller may branch on: [ErrNotFound], [ErrRefused], [ErrUnauthorized] or [*WaitError]. Any
// other error is worth another try after a back-off.
type Provider interface {
	// Server returns the ID of the server that this process runs on.
	Server(ctx context.Context) (string, error)

	// Read returns the holders of each of addrs. If reading one address fails, its Holding carries the error and the other
	// addresses are unaffected. Read itself returns an error only if nothing could be read at all.
	Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]Holding, error)

	// Assign makes server the only holder of addr, or one of its holders if the address is Shared. seen lists the holders
	// that are known. Assign is idempotent, checks ctx before each changing request, and never retries.
	Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error
}

// A Holding is what the cloud says about one address.
type Holding struct {
	// Resource identifies what the address is part of, in the cloud's own terms: the ID of an elastic IP, or the network of
	// a floating IP. One write moves all addresses with the same Resource. It may be set even if Err is; empty means unknown.
	Resource string
	Servers  []string // IDs of the servers that hold the address; empty: it points at nothing
	Shared   bool     // the address is meant to have several holders (an Exoscale address with a health check)
	Err      error    // the holders could not be read: Servers and Shared mean nothing
}

// At reports whether the address points at server, and at no other server unless it is shared.
func (h Holding) At(server string) bool {
	if h.Err != nil {
		return false
	}
	if h.Shared {
		return slices.Contains(h.Servers, server)
	}
	return len(h.Servers) == 1 && h.Servers[0] == server
}

var (
	// ErrNotFound means that the account has no such address or server. The next try is one refresh interval later.
	ErrNotFound = errors.New("not found")

	// ErrRefused means that the cloud understood the call and declined it (400, 403, 422 and most other 4xx), and would decline it again. The
	// next try is one refresh interval later.
	ErrRefused = errors.New("refused")

	// ErrUnauthorized means that the cloud does not accept the credential (401).
	ErrUnauthorized = errors.New("credential not accepted")

	// ErrNotWritten is what [DryRun] returns instead of writing. It is not counted as a failure.
	ErrNotWritten = errors.New("not written: dry run")
)

// A WaitError means that this cloud must not be called for a while. A provider returns it for a 429, or a 503, with
// Retry-After. [Paced] returns it in place of a call, with the time remaining.
type WaitError struct {
	Wait time.Duration // from now, above 0
	Err  error         // why, never nil
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("%v; no call for %v", e.Err, e.Wait.Round(time.Millisecond))
}

// Unwrap returns the reason for the wait.
func (e *WaitError) Unwrap() error { return e.Err }
