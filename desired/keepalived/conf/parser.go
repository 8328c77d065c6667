package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A parser finds instances, groups and settings in the tokens.
type parser struct {
	reader   *reader
	ahead    *token // the next token, if it has been looked at; else nil
	config   Config
	groups   []Group
	warnings []Problem
	timings  []timing        // one for each of config.Instances
	version  byte            // of VRRP, for instances that do not set it: '2' or '3'
	fifos    map[string]bool // the keywords that have named one
}

// The keywords of blocks that matter for addresses.
const (
	instanceWord = "vrrp_instance"
	groupWord    = "vrrp_sync_group" //nolint:gosec // no credential
	vipWord      = "virtual_ipaddress"
	excludedWord = "virtual_ipaddress_excluded"
)

// isList reports whether a keyword begins a block of addresses, which belongs directly in an instance.
func isList(word string) bool { return word == vipWord || word == excludedWord }

// hmacWord begins a block in an instance, since Keepalived 2.4.
const hmacWord = "auth_hmac"

// beginsOuterBlock reports whether a keyword outside of blocks always begins one. If the { is missing, Keepalived takes everything up to
// the next } as part of the block (seen on 2.2.7).
func beginsOuterBlock(word string) bool {
	switch word {
	case "static_ipaddress", "static_routes", "static_rules", "garp_group", "linkbeat_interfaces", "vrrp_script", "vrrp_track_file", "track_file",
		"vrrp_track_process", "track_group", "bfd_instance", "interface_up_down_delays":
		return true
	}
	return false
}

// isTrack and isInstanceBlock report whether a keyword begins a block that Keepalived 2.2.7 knows in an instance or a group, or only in an
// instance, in addition to those that are read here. After any other word, Keepalived skips the {, so the matching } ends the instance, and
// what follows is lost (seen).
func isTrack(word string) bool {
	switch word {
	case "track_interface", "track_script", "track_file", "track_process", "track_bfd":
		return true
	}
	return false
}

func isInstanceBlock(word string) bool {
	return isTrack(word) || word == "authentication" || word == "virtual_routes" || word == "virtual_rules"
}

// nothing reports false for every keyword.
func nothing(string) bool { return false }

func (p *parser) next() (token, error) {
	if t := p.ahead; t != nil {
		p.ahead = nil
		return *t, nil
	}
	return p.reader.next()
}

func (p *parser) peek() (token, error) {
	t, err := p.next()
	if err == nil {
		p.ahead = &t
	}
	return t, err
}

func (p *parser) warn(t token, format string, args ...any) {
	p.warnings = append(p.warnings, t.problem(format, args...))
}

// topLevel reads everything outside of blocks.
func (p *parser) topLevel() error {
	for {
		t, err := p.next()
		if err != nil {
			return err
		}
		switch t.kind {
		case end:
			return nil
		case opening:
			return t.problem("a { that does not begin a block")
		case closing:
			return t.problem("a } without {")
		case statement:
			err = p.topStatement(t)
		}
		if err != nil {
			return err
		}
	}
}

// topStatement reads one statement outside of blocks, with its block if it has one.
func (p *parser) topStatement(t token) error {
	switch t.words[0] {
	case instanceWord:
		return p.instance(t)
	case groupWord:
		return p.group(t)
	case vipWord, excludedWord:
		return t.problem("%s outside %s: is there one } too many before it?", t.words[0], instanceWord)
	}
	switch {
	case t.words[0] == "global_defs":
		return p.globalDefs(t)
	case isRootWord(t.words[0]):
		if err := t.checkWords(); err != nil {
			return err
		}
		p.rootSetting(t)
	}
	if beginsOuterBlock(t.words[0]) {
		return p.skipBlock(t, isList)
	}
	return p.skip(t, isList)
}

// block reads the block that must follow t, and calls each with every statement in it.
func (p *parser) block(t token, each func(token) error) error {
	first, err := p.next()
	if err != nil {
		return err
	}
	if first.kind != opening {
		return t.problem("%s without { after it%s", strings.Join(t.words, " "), t.hint())
	}
	for {
		inner, err := p.next()
		if err != nil {
			return err
		}
		switch inner.kind {
		case closing:
			return nil
		case end:
			return t.problem("the { of %s is never closed", strings.Join(t.words, " "))
		case opening:
			return inner.problem("a { that does not begin a block")
		case statement:
			if w := inner.words[0]; w == instanceWord || w == groupWord {
				return inner.misplaced(t)
			}
			err = each(inner)
		}
		if err != nil {
			return err
		}
	}
}

// hint mentions an invisible character, which may be why a word is unknown. It is empty if there is none.
func (t token) hint() string {
	if t.hidden == "" {
		return ""
	}
	return fmt.Sprintf(" (the invisible character %s is not a blank to Keepalived)", t.hidden)
}

// misplaced returns the problem that a statement does not belong in a block.
func (t token) misplaced(block token) error {
	return t.problem("%s within %s, which begins on line %d: is a } missing before it?", t.words[0], block.words[0], block.piece.line)
}

// skip skips the block of t, if one follows. A statement in it is an error if refuse returns true for its keyword: a brace before it is
// missing.
func (p *parser) skip(t token, refuse func(word string) bool) error {
	next, err := p.peek()
	if err != nil || next.kind != opening {
		return err
	}
	return p.skipBlock(t, refuse)
}

// skipBlock is like skip, but a block must follow.
func (p *parser) skipBlock(t token, refuse func(word string) bool) error {
	return p.block(t, func(inner token) error {
		if refuse(inner.words[0]) {
			return inner.misplaced(t)
		}
		return p.skip(inner, refuse)
	})
}

// inner skips a statement in an instance or a group, with its block. Only a keyword for which known returns true may begin a block.
func (p *parser) inner(t, outer token, known func(word string) bool) error {
	if isList(t.words[0]) {
		return t.misplaced(outer)
	}
	next, err := p.peek()
	if err != nil {
		return err
	}
	switch begins := known(t.words[0]); {
	case t.words[0] == hmacWord && outer.words[0] == instanceWord:
		p.warn(t, "%s: Keepalived up to 2.3 does not know it and misreads what follows", hmacWord)
	case next.kind != opening && !begins:
		return nil
	case !begins:
		return t.problem("%s does not begin a block that Keepalived knows within %s, so Keepalived would take its } as the end of %s%s", t.words[0], outer.words[0], outer.words[0], t.hint())
	}
	return p.block(t, func(statement token) error { return p.inner(statement, t, nothing) })
}

// checkWords returns an error if the words contain an undefined definition or a quote that is not closed.
func (t token) checkWords() error {
	if unclosedQuote(t.piece.text) {
		return t.problem("%s: a quote that is not closed on its line", t.words[0])
	}
	for _, word := range t.words {
		if strings.Contains(word, "$") {
			return t.problem("%s: %s is not defined, or must be written as ${NAME}", t.words[0], word)
		}
	}
	return nil
}

// blockName checks the name of an instance or a group. If Keepalived ignores the block, blockName skips it and returns false. known tells
// whether there is already one of this name.
func (p *parser) blockName(t token, known bool) (ok bool, err error) {
	if err := t.checkWords(); err != nil {
		return false, err
	}
	switch {
	case len(t.words) != 2:
		p.warn(t, "%s must have one name: Keepalived ignores the block", strings.Join(t.words, " "))
	case known:
		p.warn(t, "%s exists already: Keepalived ignores this one", strings.Join(t.words, " "))
	default:
		return true, nil
	}
	return false, p.skip(t, nothing)
}

// instance reads a vrrp_instance.
func (p *parser) instance(t token) error {
	known := len(t.words) == 2 && slices.ContainsFunc(p.config.Instances, func(i Instance) bool { return i.Name == t.words[1] })
	if ok, err := p.blockName(t, known); !ok {
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
			p.warn(inner, "%s: must be a number of seconds from 0.01 to 255: Keepalived ignores it", strings.Join(inner.words, " "))
		}
		return p.inner(inner, t, isInstanceBlock)
	})
	p.config.Instances = append(p.config.Instances, inst)
	timing.ipv6 = family.bits == 128
	p.timings = append(p.timings, timing)
	return err
}

// addresses reads a block of addresses, one per line.
func (p *parser) addresses(t token, family *family, list *[]netip.Prefix) error {
	return p.block(t, func(inner token) error {
		if isList(inner.words[0]) {
			return inner.misplaced(t)
		}
		if err := p.noBlock(inner); err != nil {
			return err
		}
		prefix, dropped := parseAddress(inner.words)
		if dropped == "" {
			dropped = family.mismatch(prefix.Addr())
		}
		if dropped != "" {
			p.warn(inner, "%s: %s: Keepalived ignores it", inner.words[0], dropped)
			return nil
		}
		*list = append(*list, prefix)
		return nil
	})
}

// peers reads unicast_peer, because the first peer decides the address family of the instance.
func (p *parser) peers(t token, family *family) error {
	return p.block(t, func(inner token) error {
		if addr, ok := parseAddr(inner.words[0]); ok {
			family.set(addr)
		}
		return p.inner(inner, t, nothing)
	})
}

// noBlock returns an error if a statement in a list begins a block, or contains an undefined definition.
func (p *parser) noBlock(t token) error {
	if err := t.checkWords(); err != nil {
		return err
	}
	next, err := p.peek()
	if err == nil && next.kind == opening {
		err = next.problem("a { after %s, which does not begin a block", t.words[0])
	}
	return err
}
