package conf

import (
	"fmt"
	"slices"
)

// group reads a vrrp_sync_group.
func (p *parser) group(t token) error {
	known := len(t.words) == 2 && slices.ContainsFunc(p.groups, func(g Group) bool { return g.Name == t.words[1] })
	if ok, err := p.blockName(t, known); !ok {
		return err
	}
	group := Group{Name: t.words[1], File: t.piece.file, Line: t.piece.line}
	listed := false
	err := p.block(t, func(inner token) error {
		if inner.words[0] != "group" {
			return p.inner(inner, t, isTrack)
		}
		if listed {
			return inner.problem("a second group in %s: Keepalived uses only the first", t.words[1])
		}
		listed = true
		return p.block(inner, func(line token) error {
			group.Members = append(group.Members, line.words...)
			return p.noBlock(line)
		})
	})
	p.groups = append(p.groups, group)
	return err
}

// validGroups returns the groups with the members that count: instances that exist, each in the first group that names it.
func (p *parser) validGroups() []Group {
	var groups []Group
	taken := map[string]string{}
	for _, g := range p.groups {
		var members []string
		for _, name := range g.Members {
			exists := slices.ContainsFunc(p.config.Instances, func(i Instance) bool { return i.Name == name })
			first, twice := taken[name]
			switch {
			case !exists:
				p.warnGroup(g, fmt.Sprintf("there is no vrrp_instance %s", name))
			case twice && first != g.Name:
				p.warnGroup(g, fmt.Sprintf("%s is already in group %s", name, first))
			case !twice:
				taken[name] = g.Name
				members = append(members, name)
			}
		}
		if len(members) == 0 {
			p.warnGroup(g, "it has no members")
			continue
		}
		g.Members = members
		groups = append(groups, g)
	}
	return groups
}

func (p *parser) warnGroup(g Group, text string) {
	p.warnings = append(p.warnings, Problem{File: g.File, Line: g.Line, Text: groupWord + " " + g.Name + ": " + text})
}
