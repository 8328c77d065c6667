package inputs

import (
	"reflect"
	"slices"
	"strings"

	"floaty/desired/keepalived/conf"
)

// SameKeepalived reports whether two keepalived.conf mean the same to floaty.
func SameKeepalived(a, b *conf.Config) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(withoutPositions(a), withoutPositions(b))
}

// KeepalivedChanges describes how the instances of two keepalived.conf differ. A renamed instance counts as removed
// and added, because the state of the new one is unknown.
func KeepalivedChanges(before, now *conf.Config) string {
	names := func(c *conf.Config) []string {
		var list []string
		if c != nil {
			for _, inst := range c.Instances {
				list = append(list, inst.Name)
			}
		}
		return list
	}
	var words []string
	for _, name := range names(before) {
		if !slices.Contains(names(now), name) {
			words = append(words, "instance "+name+" removed")
		}
	}
	for _, name := range names(now) {
		if !slices.Contains(names(before), name) {
			words = append(words, "instance "+name+" added")
		}
	}
	if len(words) == 0 {
		return "keepalived.conf"
	}
	return "keepalived.conf: " + strings.Join(words, ", ")
}

// withoutPositions returns a copy without positions in files.
func withoutPositions(c *conf.Config) conf.Config {
	m := conf.Config{Globals: c.Globals}
	for _, f := range c.FIFOs {
		f.File, f.Line = "", 0
		m.FIFOs = append(m.FIFOs, f)
	}
	for _, inst := range c.Instances {
		inst.File, inst.Line = "", 0
		m.Instances = append(m.Instances, inst)
	}
	for _, g := range c.Groups {
		g.File, g.Line = "", 0
		m.Groups = append(m.Groups, g)
	}
	return m
}
