package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A parser finds the instances and groups among the tokens.
type parser struct {
	reader   *reader
	ahead    *token // that was looked at and not taken
	config   Config
	groups   []Group
	warnings []Problem
	timings  []timing        // of config.Instances, one each
	version  byte            // of VRRP, where an instance does not say: '2' or '3'
	fifos    map[string]bool // the words that named one
}

// The statements that begin a block which says something about addresses.
const (
	instanceWord = "vrrp_instance"
	groupWord    = "vrrp_sync_group" //nolint:gosec // no credential
	vipWord      = "virtual_ipaddress"
	excludedWord = "virtual_ipaddress_excluded"
)

// lists are the statements that belong directly into an instance.
var lists = []string{vipWord, excludedWord}

// hmacWord begins a block within an instance, from 2.4 on.
const hmacWord = "auth_hmac"

// outerBlocks are the words in no block that begin one as they stand, whether a { follows or not: without it, what follows is
// taken for the block's, and lost up to the next } (seen on 2.2.7).
var outerBlocks = []string{
	"static_ipaddress", "static_routes", "static_rules", "garp_group", "linkbeat_interfaces", "vrrp_script", "vrrp_track_file", "track_file",
	"vrrp_track_process", "track_group", "bfd_instance", "interface_up_down_delays",
}

// tracks are the blocks that Keepalived 2.2.7 knows within an instance or a group, beside those that are read here. After any
// other word it passes over the {, and its } ends the instance (seen): what follows is lost.
var (
	tracks         = []string{"track_interface", "track_script", "track_file", "track_process", "track_bfd"}
	instanceBlocks = append([]string{"authentication", "virtual_routes", "virtual_rules"}, tracks...)
)

func (p *parser) take() (token, error) {
	if t := p.ahead; t != nil {
		p.ahead = nil
		return *t, nil
	}
	return p.reader.next()
}

func (p *parser) peek() (token, error) {
	t, err := p.take()
	if err == nil {
		p.ahead = &t
	}
	return t, err
}

func (p *parser) warn(t token, format string, args ...any) {
	p.warnings = append(p.warnings, t.problem(format, args...))
}

// top reads what is in no block.
func (p *parser) top() error {
	for {
		t, err := p.take()
		if err != nil {
			return err
		}
		switch t.kind {
		case end:
			return nil
		case opening:
			return t.problem("a { that begins no block")
		case closing:
			return t.problem("a } without {")
		case statement:
			err = p.outer(t)
		}
		if err != nil {
			return err
		}
	}
}

// outer reads one statement that is in no block, with its block if it has one.
func (p *parser) outer(t token) error {
	switch t.words[0] {
	case instanceWord:
		return p.instance(t)
	case groupWord:
		return p.group(t)
	case vipWord, excludedWord:
		return t.problem("%s in no %s: is there a } too many before it?", t.words[0], instanceWord)
	}
	switch {
	case t.words[0] == "global_defs":
		return p.globals(t)
	case slices.Contains(rootWords, t.words[0]):
		if err := t.plain(); err != nil {
			return err
		}
		p.root(t)
	}
	if slices.Contains(outerBlocks, t.words[0]) {
		return p.needed(t, lists)
	}
	return p.passOver(t, lists)
}

// block calls each with every statement of the block that must follow t.
func (p *parser) block(t token, each func(token) error) error {
	first, err := p.take()
	if err != nil {
		return err
	}
	if first.kind != opening {
		return t.problem("%s without { after it%s", strings.Join(t.words, " "), t.hint())
	}
	for {
		inner, err := p.take()
		if err != nil {
			return err
		}
		switch inner.kind {
		case closing:
			return nil
		case end:
			return t.problem("the { of %s has no }", strings.Join(t.words, " "))
		case opening:
			return inner.problem("a { that begins no block")
		case statement:
			if w := inner.words[0]; w == instanceWord || w == groupWord {
				return inner.within(t)
			}
			err = each(inner)
		}
		if err != nil {
			return err
		}
	}
}

// hint names an invisible character that may be why a word is not known; empty: there is none.
func (t token) hint() string {
	if t.hidden == "" {
		return ""
	}
	return fmt.Sprintf(" (the invisible character %s is no blank to Keepalived)", t.hidden)
}

// within says that a statement does not belong into the block of t.
func (t token) within(block token) error {
	return t.problem("%s within %s, which begins in line %d: is a } missing before it?", t.words[0], block.words[0], block.piece.line)
}

// passOver passes over the block of t, if one follows. None of the words may begin a statement in it: where one does, a
// brace is missing.
func (p *parser) passOver(t token, words []string) error {
	next, err := p.peek()
	if err != nil || next.kind != opening {
		return err
	}
	return p.needed(t, words)
}

// needed does the same where a block must follow.
func (p *parser) needed(t token, words []string) error {
	return p.block(t, func(inner token) error {
		if slices.Contains(words, inner.words[0]) {
			return inner.within(t)
		}
		return p.passOver(inner, words)
	})
}

// inner passes over a statement within an instance or group, with its block if it is one of known.
func (p *parser) inner(t, outer token, known []string) error {
	if slices.Contains(lists, t.words[0]) {
		return t.within(outer)
	}
	next, err := p.peek()
	if err != nil {
		return err
	}
	switch begins := slices.Contains(known, t.words[0]); {
	case t.words[0] == hmacWord && outer.words[0] == instanceWord:
		p.warn(t, "%s: up to 2.3 Keepalived does not know it, and loses what follows it", hmacWord)
	case next.kind != opening && !begins:
		return nil
	case !begins:
		return t.problem("%s begins no block that Keepalived knows within %s: it would take the } for the end of it%s", t.words[0], outer.words[0], t.hint())
	}
	return p.block(t, func(statement token) error { return p.inner(statement, t, nil) })
}

// plain checks that words hold no definition that is not known, and no quote that does not end.
func (t token) plain() error {
	if open(t.piece.text) {
		return t.problem("%s: a quote that does not end on its line", t.words[0])
	}
	for _, word := range t.words {
		if strings.Contains(word, "$") {
			return t.problem("%s: definition %s is not known, or not written as ${NAME}", t.words[0], word)
		}
	}
	return nil
}

// name returns the name of an instance or group; ok is false where Keepalived passes over its block.
func (p *parser) name(t token, known bool) (ok bool, err error) {
	if err := t.plain(); err != nil {
		return false, err
	}
	switch {
	case len(t.words) != 2:
		p.warn(t, "%s must have one name: Keepalived leaves the block out", strings.Join(t.words, " "))
	case known:
		p.warn(t, "%s is there already: Keepalived leaves this one out", strings.Join(t.words, " "))
	default:
		return true, nil
	}
	return false, p.passOver(t, nil)
}

// instance reads a vrrp_instance.
func (p *parser) instance(t token) error {
	known := len(t.words) == 2 && slices.ContainsFunc(p.config.Instances, func(i Instance) bool { return i.Name == t.words[1] })
	if ok, err := p.name(t, known); !ok {
		return err
	}
	inst := Instance{Name: t.words[1], File: t.piece.file, Line: t.piece.line}
	var family family
	timing := timing{interval: defaultInterval}
	err := p.block(t, func(inner token) error {
		switch inner.words[0] {
		case vipWord:
			return p.addresses(inner, &family, &inst.Addresses)
		case excludedWord: // may mix families
			return p.addresses(inner, nil, &inst.Excluded)
		case "unicast_peer":
			return p.peers(inner, &family)
		}
		family.learn(inner)
		if timing.learn(inner) {
			p.warn(inner, "%s: no number of seconds from 0.01 to 255: Keepalived leaves it out", strings.Join(inner.words, " "))
		}
		return p.inner(inner, t, instanceBlocks)
	})
	p.config.Instances = append(p.config.Instances, inst)
	timing.ipv6 = family.bits == 128
	p.timings = append(p.timings, timing)
	return err
}

// addresses reads a block of addresses, one a line.
func (p *parser) addresses(t token, family *family, list *[]netip.Prefix) error {
	return p.block(t, func(inner token) error {
		if slices.Contains(lists, inner.words[0]) {
			return inner.within(t)
		}
		if err := p.noBlock(inner); err != nil {
			return err
		}
		prefix, dropped := parseAddress(inner.words)
		if dropped == "" {
			dropped = family.refuses(prefix.Addr())
		}
		if dropped != "" {
			p.warn(inner, "%s: %s: Keepalived leaves it out", inner.words[0], dropped)
			return nil
		}
		*list = append(*list, prefix)
		return nil
	})
}

// peers reads unicast_peer, for the first peer sets the instance's family.
func (p *parser) peers(t token, family *family) error {
	return p.block(t, func(inner token) error {
		if addr, ok := parseAddr(inner.words[0]); ok {
			family.set(addr)
		}
		return p.inner(inner, t, nil)
	})
}

// noBlock checks that a statement in a list begins no block and has nothing unknown in it.
func (p *parser) noBlock(t token) error {
	if err := t.plain(); err != nil {
		return err
	}
	next, err := p.peek()
	if err == nil && next.kind == opening {
		err = next.problem("a { after %s, which begins no block", t.words[0])
	}
	return err
}

// group reads a vrrp_sync_group.
func (p *parser) group(t token) error {
	known := len(t.words) == 2 && slices.ContainsFunc(p.groups, func(g Group) bool { return g.Name == t.words[1] })
	if ok, err := p.name(t, known); !ok {
		return err
	}
	group := Group{Name: t.words[1], File: t.piece.file, Line: t.piece.line}
	listed := false
	err := p.block(t, func(inner token) error {
		if inner.words[0] != "group" {
			return p.inner(inner, t, tracks)
		}
		if listed {
			return inner.problem("a second group in %s: Keepalived takes the first only", t.words[1])
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

// settled returns the groups with those members that count: instances that exist, each in the first group that names it.
func (p *parser) settled() []Group {
	var groups []Group
	taken := map[string]string{}
	for _, g := range p.groups {
		var members []string
		for _, name := range g.Members {
			exists := slices.ContainsFunc(p.config.Instances, func(i Instance) bool { return i.Name == name })
			first, twice := taken[name]
			switch {
			case !exists:
				p.grumble(g, fmt.Sprintf("there is no vrrp_instance %s", name))
			case twice && first != g.Name:
				p.grumble(g, fmt.Sprintf("%s is in group %s already", name, first))
			case !twice:
				taken[name] = g.Name
				members = append(members, name)
			}
		}
		if len(members) == 0 {
			p.grumble(g, "it has no members")
			continue
		}
		g.Members = members
		groups = append(groups, g)
	}
	return groups
}

func (p *parser) grumble(g Group, text string) {
	p.warnings = append(p.warnings, Problem{File: g.File, Line: g.Line, Text: groupWord + " " + g.Name + ": " + text})
}
