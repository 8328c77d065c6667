package inputs

import (
	"context"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/desired/keepalived"
)

// UnidentifiedWarnings warns of the instances that the daemon would treat as not MASTER after a reload of Keepalived:
// they have addresses to assign but no virtual ones that would prove that they are MASTER, and Keepalived's process
// cannot be identified at the moment. fifo may be empty.
func (s Inputs) UnidentifiedWarnings(ctx context.Context, fifo string) []report.Warning {
	var names []string
	for _, inst := range (desired.Input{Settings: s.Settings(nil)}).Instances() {
		if len(inst.Addresses) > 0 && len(desired.VIPs(s.Keepalived, inst.Name)) == 0 {
			names = append(names, inst.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if fifo == "" && s.Keepalived != nil && len(s.Keepalived.FIFOs) == 1 {
		fifo = s.Keepalived.FIFOs[0].Path
	}
	err := keepalived.Identified(ctx, fifo, s.PIDFile())
	if err == nil {
		return nil
	}
	var list []report.Warning
	for _, name := range names {
		list = append(list, report.Warning{Text: keepalived.NoEvidence + " (" + err.Error() + ")", Instance: name})
	}
	return list
}
