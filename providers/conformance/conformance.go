// Package conformance is the suite that every provider must pass: the contract of [providers.Provider] as tests.
//
// It makes the cloud behind a provider fail in every way that clouds do, through the few hooks of a [Cloud], and looks at
// what the provider makes of it: the error's kind, who holds the address, how many requests arrived. It knows no cloud,
// and does not ask how many requests a reading takes or in what order a provider makes them.
package conformance

import (
	"net/netip"
	"testing"

	"floaty/providers"
)

// A Subject is a provider under test, and the cloud behind it.
type Subject struct {
	Provider   providers.Provider
	Cloud      Cloud
	Server     string // what Provider.Server returns; a server of the account
	Other      string // another server of the account
	Third      string // and another; empty: the cloud lets an address have one holder at most
	Credential string // must be in no error
	Forbidden  error  // what a 403 to every request means; nil: providers.ErrRefused

	Network      netip.Prefix // one that the cloud hands out; the zero Prefix: it hands out none
	Asynchronous bool         // a change is an operation that ends later

	// How many requests one call for one address takes at most, up to the first that fails.
	ReadCalls, AssignCalls int
}

// A Cloud is what the suite does to the world behind a provider.
type Cloud interface {
	// Put makes addr an address of the account, held by holders; none: aimed at nothing.
	Put(addr netip.Addr, holders ...string)
	// PutNetwork makes a network of the account's addresses, held by holders.
	PutNetwork(network netip.Prefix, holders ...string)
	// Holders returns who holds addr.
	Holders(addr netip.Addr) []string
	// Fail makes requests of the API fail from now on.
	Fail(f Failure)
	// Heal ends all failures.
	Heal()
	// Requests returns how many requests arrived at the API so far, and how many of them might change something.
	Requests() (all, changing int)
}

// A Failure is what a request meets instead of the API's answer.
type Failure struct {
	Kind       Kind
	Status     int        // of Answer and OperationUnknown
	Body       string     // of Answer
	RetryAfter string     // of Answer: the header, if not empty
	Addr       netip.Addr // only requests that would change this address fail; the zero Addr: all do
}

// A Kind is a way to fail.
type Kind int

// The ways to fail.
const (
	Answer     Kind = iota // an answer with this status, body and Retry-After
	BrokenJSON             // a success whose body is cut off
	SlowBody               // a success whose body takes for ever
	Hang                   // no answer at all
	Reset                  // the connection is reset

	// Where a cloud is Asynchronous.

	OperationUnknown  // asking for an operation is answered with this status
	OperationFails    // operations fail
	OperationHangs    // operations are pending until Heal: then they succeed
	OperationSilent   // operations have their effect, and seem pending until Heal
	OperationRepeated // an operation that asks for what is so already fails
)

// Run tests a provider. It calls subject for each test anew; the cloud must then be empty and well.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s Subject)
	}{
		{"TheServerIsKnown", theServerIsKnown},
		{"AReadingShowsWhoHoldsWhat", aReadingShowsWhoHoldsWhat},
		{"AnAbsentAddressSpoilsNoOther", anAbsentAddressSpoilsNoOther},
		{"AnAddressIsTheSameInEverySpelling", anAddressIsTheSameInEverySpelling},
		{"AReadingOfNothingIsEmpty", aReadingOfNothingIsEmpty},
		{"AReadingShowsEveryHolder", aReadingShowsEveryHolder},

		{"AssignMakesTheServerTheOnlyHolder", assignMakesTheServerTheOnlyHolder},
		{"AssignIsIdempotent", assignIsIdempotent},
		{"AssignReleasesEveryOtherHolder", assignReleasesEveryOtherHolder},
		{"AssignSaysThatAnAddressIsAbsent", assignSaysThatAnAddressIsAbsent},
		{"ManyAssignsAtOnceSucceed", manyAssignsAtOnceSucceed},

		{"ANetworkIsOneResource", aNetworkIsOneResource},
		{"APairIsLeftByOneChange", aPairIsLeftByOneChange},

		{"AnOperationThatCannotBeAskedForIsNoHindrance", anOperationThatCannotBeAskedForIsNoHindrance},
		{"AFailedOperationIsAnError", aFailedOperationIsAnError},
		{"AnOperationThatHangsIsGoneOnWith", anOperationThatHangsIsGoneOnWith},
		{"AChangeThatIsSoAlreadyMayFail", aChangeThatIsSoAlreadyMayFail},

		{"AnErrorIsOfTheRightKind", anErrorIsOfTheRightKind},
		{"AFailureIsNotRetried", aFailureIsNotRetried},
		{"AnErrorPageBecomesOneLine", anErrorPageBecomesOneLine},
		{"AnUnusableAnswerIsNoReading", anUnusableAnswerIsNoReading},
		{"AnUnusableAnswerIsNoAssignment", anUnusableAnswerIsNoAssignment},
		{"AResetConnectionIsAnError", aResetConnectionIsAnError},
		{"TheCredentialIsInNoError", theCredentialIsInNoError},
		{"AFailingAddressSpoilsNoOther", aFailingAddressSpoilsNoOther},

		{"ACallEndsWithItsContext", aCallEndsWithItsContext},
		{"ACancelledCallWritesNothing", aCancelledCallWritesNothing},
		{"AHangingAddressHoldsUpNoOther", aHangingAddressHoldsUpNoOther},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, subject(t)) })
	}
}
