// Package conformance is the test suite that every provider must pass: the contract of [providers.Provider] as tests.
//
// Through the methods of a [Cloud], the suite makes the cloud fail in every way that real clouds do, and checks the results: the kind of
// error, the holders of the address, and the number of requests. It does not depend on a particular cloud, and it does not check how many
// requests a successful read takes or in which order a provider makes them.
package conformance

import (
	"net/netip"
	"testing"

	"floaty/providers"
)

// A Subject is a provider under test and the cloud behind it.
type Subject struct {
	Provider   providers.Provider
	Cloud      Cloud
	Server     string // what Provider.Server returns; a server of the account
	Other      string // another server of the account
	Third      string // a third server of the account; empty: an address of the cloud has at most one holder
	Credential string // must not appear in an error
	Forbidden  error  // the error if every request is answered with a 403; nil: providers.ErrRefused

	Network      netip.Prefix // a network that the cloud offers as one resource; the zero Prefix: it offers none
	Asynchronous bool         // a change is an operation that ends after its request has been answered

	// The greatest number of requests that one call for one address makes, including the first one that fails.
	ReadCalls, AssignCalls int
}

// A Cloud lets the suite control the cloud behind a provider.
type Cloud interface {
	// Put adds addr to the account, held by holders. Without holders it has no target.
	Put(addr netip.Addr, holders ...string)
	// AddAddress adds a network to the account, whose addresses all move together, held by holders.
	AddAddress(network netip.Prefix, holders ...string)
	// Holders returns the holders of addr.
	Holders(addr netip.Addr) []string
	// Fail makes requests of the API fail from now on.
	Fail(f Failure)
	// Heal ends all failures.
	Heal()
	// Requests returns the number of requests that have arrived at the API, and how many of them could change something.
	Requests() (all, changing int)
}

// A Failure replaces the API's answer.
type Failure struct {
	Kind       Kind
	Status     int        // of Answer and OperationUnknown
	Body       string     // of Answer
	RetryAfter string     // of Answer: the header, if not empty
	Addr       netip.Addr // only requests that would change this address fail; the zero Addr: all do
}

// A Kind is a kind of failure.
type Kind int

// The kinds of failures.
const (
	Answer     Kind = iota // an answer with this status, body and Retry-After
	BrokenJSON             // a success whose body is cut off
	SlowBody               // a success whose body never ends
	Hang                   // no answer at all
	Reset                  // the connection is reset

	// Only if Subject.Asynchronous is set.

	OperationUnknown  // a query of an operation is answered with this status
	OperationFails    // operations fail
	OperationHangs    // operations are pending until Heal, and then succeed
	OperationSilent   // operations take effect, but are shown as pending until Heal
	OperationRepeated // an operation that would change nothing fails
)

// Run tests a provider. It calls subject once per test; the cloud that it returns must be empty and without failures.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s Subject)
	}{
		{"TheServerIsKnown", theServerIsKnown},
		{"AReadingShowsTheHolderOfEachAddress", aReadingShowsTheHolderOfEachAddress},
		{"AnAbsentAddressDoesNotAffectOthers", anAbsentAddressDoesNotAffectOthers},
		{"AnAddressIsComparedByValue", anAddressIsComparedByValue},
		{"ReadingNoAddressesReturnsNothing", readingNoAddressesReturnsNothing},
		{"AReadingShowsEveryHolder", aReadingShowsEveryHolder},

		{"AssignMakesTheServerTheOnlyHolder", assignMakesTheServerTheOnlyHolder},
		{"AssignIsIdempotent", assignIsIdempotent},
		{"AssignReleasesEveryOtherHolder", assignReleasesEveryOtherHolder},
		{"AssigningAnAbsentAddressIsNotFound", assigningAnAbsentAddressIsNotFound},
		{"ConcurrentAssignmentsSucceed", concurrentAssignmentsSucceed},

		{"ANetworkIsOneResource", aNetworkIsOneResource},
		{"OfTwoHoldersTheOtherIsDetachedByOneChange", ofTwoHoldersTheOtherIsDetachedByOneChange},

		{"AnOperationThatCannotBeQueriedDoesNotPreventSuccess", anOperationThatCannotBeQueriedDoesNotPreventSuccess},
		{"AFailedOperationIsAnError", aFailedOperationIsAnError},
		{"TheNextCallContinuesAnUnfinishedOperation", theNextCallContinuesAnUnfinishedOperation},
		{"AChangeThatWouldChangeNothingMayFail", aChangeThatWouldChangeNothingMayFail},

		{"AnErrorHasTheRightKind", anErrorHasTheRightKind},
		{"AFailureIsNotRetried", aFailureIsNotRetried},
		{"AnErrorPageBecomesOneLine", anErrorPageBecomesOneLine},
		{"AnUnusableAnswerIsNotAReading", anUnusableAnswerIsNotAReading},
		{"AnUnusableAnswerIsNotASuccess", anUnusableAnswerIsNotASuccess},
		{"AResetConnectionIsAnError", aResetConnectionIsAnError},
		{"NoErrorContainsTheCredential", noErrorContainsTheCredential},
		{"AFailingAddressDoesNotAffectOthers", aFailingAddressDoesNotAffectOthers},

		{"ACallEndsWithItsContext", aCallEndsWithItsContext},
		{"ACancelledCallWritesNothing", aCancelledCallWritesNothing},
		{"AHangingAddressDoesNotDelayOthers", aHangingAddressDoesNotDelayOthers},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, subject(t)) })
	}
}
