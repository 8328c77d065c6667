// Package inspect draws conclusions from the cloud's answers for the modes that change nothing: what a dry run would
// change, and what a self-test finds.
//
// It makes no call, reads no file and writes nothing: it takes answers and returns reports.
package inspect

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/providers"
)

// Answers are what the cloud has answered to one dry run or self-test.
type Answers struct {
	Server    string // the ID of this server
	ServerErr error  // why Server is unknown
	Holdings  map[netip.Addr]providers.Holding
	ReadErr   error // why Holdings are missing
}

// Diff returns what would change if this host were MASTER of every instance in set.
func Diff(set desired.Set, a Answers) []report.Change {
	var changes []report.Change
	for _, addr := range sorted(set) {
		changes = append(changes, a.change(addr, set.Addresses[addr].Instances))
	}
	return changes
}

func (a Answers) change(addr netip.Addr, instances []string) report.Change {
	h := a.Holdings[addr]
	c := report.Change{
		Address: addr, Instances: append([]string{}, instances...), Action: report.Move,
		From: append([]string{}, h.Servers...), To: a.Server, Shared: h.Shared,
	}
	err := a.ReadErr
	if err == nil {
		err = h.Err
	}
	if err == nil && a.ServerErr != nil {
		err = fmt.Errorf("cannot determine this server's ID: %w", a.ServerErr)
	}
	switch {
	case err != nil:
		return report.Change{Address: addr, Instances: c.Instances, Action: report.Error, Error: brief(err)}
	case h.At(a.Server):
		c.Action = report.InPlace
	}
	return c
}

// sorted returns the addresses of set in ascending order.
func sorted(set desired.Set) []netip.Addr {
	return slices.SortedFunc(maps.Keys(set.Addresses), netip.Addr.Compare)
}

// brief returns the text of err. For a missing address it is always the same, because scripts look for it.
func brief(err error) string {
	if errors.Is(err, providers.ErrNotFound) {
		return providers.ErrNotFound.Error()
	}
	return err.Error()
}
