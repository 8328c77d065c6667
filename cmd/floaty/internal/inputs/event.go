package inputs

import (
	"fmt"
	"slices"

	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

// EventInstances returns the names of the instances that an event is about. If keepalived.conf is known and lacks the
// name, that is an error.
func (s Inputs) EventInstances(e keepalived.Event) ([]string, error) {
	if !e.IsGroup() {
		if s.Keepalived != nil && !slices.ContainsFunc(s.Keepalived.Instances, func(i conf.Instance) bool { return i.Name == e.Name }) {
			return nil, fmt.Errorf("keepalived-config: %s does not name the instance %q", s.Config.KeepalivedConfig, e.Name)
		}
		return []string{e.Name}, nil
	}
	if s.Keepalived != nil {
		for _, g := range s.Keepalived.Groups {
			if g.Name == e.Name {
				return g.Members, nil
			}
		}
	}
	return nil, fmt.Errorf("keepalived-config: %s does not name the sync group %q, so its members are unknown", s.Config.KeepalivedConfig, e.Name)
}
