// Package providers says what a cloud must be able to do and how it may refuse.
//
// It holds the one interface that every cloud implements, the errors that the rest of floaty branches on, and two
// wrappers that go around any cloud: [DryRun], which writes nothing, and [Paced], which waits when the cloud says so.
// It knows no cloud, makes no calls of its own and never retries: the controller's queue is the only place that does.
package providers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A Provider is one cloud, seen from one of its servers. Its methods may be called from many goroutines at once. None of
// them retries, and each returns soon after its context ends.
//
// Errors wrap what the caller may branch on ([ErrNotFound], [ErrRefused], [ErrUnauthorized], [*WaitError]); any other
// error is worth another try after a back-off.
type Provider interface {
	// Server returns the ID of the server that this process runs on.
	Server(ctx context.Context) (string, error)

	// Read returns who holds each of addrs. An address that fails carries its error and spoils no other; the error
	// returned beside the map means that nothing could be read at all.
	Read(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]Holding, error)

	// Assign makes server the only holder of addr (one of them, if the address is Shared); seen are the holders known.
	// It is idempotent, looks at ctx before each changing request, and never retries.
	Assign(ctx context.Context, addr netip.Addr, server string, seen []string) error
}

// A Holding is what the cloud said about one address.
type Holding struct {
	// Resource names what the address is part of, in the cloud's own terms: the ID of an elastic IP, the network of a
	// floating IP. Addresses with the same Resource are moved together, by one write. It is set also when only the holders
	// could not be read; empty: not known.
	Resource string
	Servers  []string // IDs of those that hold it; empty: it is aimed at nothing
	Shared   bool     // several holders are wanted (an Exoscale address with a health check)
	Err      error    // the address could not be judged; Servers and Shared then say nothing
}

// At reports whether the address is where it should be: at server alone, or at server among others if it is shared.
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
	// ErrNotFound says that the account has no such address or server. It waits a refresh interval.
	ErrNotFound = errors.New("not found")

	// ErrRefused says that the cloud understood the call and declined it for good (400, 403, 422): asking again at
	// once would be refused again. It waits a refresh interval.
	ErrRefused = errors.New("refused")

	// ErrUnauthorized says that the cloud does not accept the credential (401).
	ErrUnauthorized = errors.New("credential not accepted")

	// ErrNotWritten is what [DryRun] answers instead of writing. It waits a refresh interval and is no failure.
	ErrNotWritten = errors.New("not written: dry run")
)

// A WaitError says that no call to this cloud may be made for a while. A provider returns it for a 429 or 503 with
// Retry-After; [Paced] returns it instead of calling, with the time that is left.
type WaitError struct {
	Wait time.Duration // from now, above 0
	Err  error         // why, never nil
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("%v; no call for %v", e.Err, e.Wait.Round(time.Millisecond))
}

// Unwrap returns the reason for the wait.
func (e *WaitError) Unwrap() error { return e.Err }
