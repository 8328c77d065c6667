package main

import (
	"context"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/desired/keepalived"
)

// unproven warns of the instances whose MASTER the daemon would forget when Keepalived reloads: they have addresses to hold but no
// virtual ones that would show it, and as things are now, nothing tells Keepalived's process. fifo may be empty.
func (s setup) unproven(ctx context.Context, fifo string) []report.Warning {
	var names []string
	for _, inst := range (desired.Input{Settings: s.settings(nil)}).Instances() {
		if len(inst.Addresses) > 0 && len(desired.VIPs(s.keepalived, inst.Name)) == 0 {
			names = append(names, inst.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if fifo == "" && s.keepalived != nil && len(s.keepalived.FIFOs) == 1 {
		fifo = s.keepalived.FIFOs[0].Path
	}
	err := keepalived.Identified(ctx, fifo, s.pidFile())
	if err == nil {
		return nil
	}
	var list []report.Warning
	for _, name := range names {
		list = append(list, report.Warning{Text: keepalived.NoEvidence + " (" + err.Error() + ")", Instance: name})
	}
	return list
}
