package conf

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A FIFO is one that Keepalived writes its VRRP events to.
type FIFO struct {
	Path string
	User string // who owns it where Keepalived makes it; one who does not exist means root
	File string
	Line int
}

// defaultUser owns a FIFO for which nothing names a user, if there is one of that name (seen on 2.2.7).
const defaultUser = "keepalived_script"

// rootWords are the settings that Keepalived knows outside of blocks only.
var rootWords = []string{"instance", "net_namespace", "use_pid_dir"}

// PIDFile returns where Keepalived writes the pid of its VRRP process, unless its option -r says otherwise. A network
// namespace has a directory of its own (seen on 2.2.7).
func (c *Config) PIDFile() string {
	dir, name := "/run/", "vrrp"
	if c.PIDDir || c.Instance != "" || c.NetNamespace != "" {
		dir += "keepalived/"
	}
	if c.NetNamespace != "" {
		dir += c.NetNamespace + "/"
	}
	if c.Instance != "" {
		name += "_" + c.Instance
	}
	return dir + name + ".pid"
}

// root takes a setting that stands in no block. Of two, the first counts.
func (p *parser) root(t token) {
	var value string
	if len(t.words) > 1 {
		value = t.words[1]
	}
	switch t.words[0] {
	case "instance":
		p.once(t, &p.config.Instance, value)
	case "net_namespace":
		p.once(t, &p.config.NetNamespace, value)
	case "use_pid_dir":
		p.config.PIDDir = true
	}
}

func (p *parser) once(t token, setting *string, value string) {
	if *setting != "" && *setting != value {
		p.warn(t, "%s %s: it is %s already: Keepalived leaves this one out", t.words[0], value, *setting)
		return
	}
	*setting = value
}

// globals reads global_defs.
func (p *parser) globals(t token) error {
	return p.block(t, func(inner token) error {
		if slices.Contains(lists, inner.words[0]) {
			return inner.within(t)
		}
		if slices.Contains(globalWords, inner.words[0]) {
			if err := inner.plain(); err != nil {
				return err
			}
			p.global(inner)
		}
		return p.passOver(inner, lists)
	})
}

// globalWords are the settings in global_defs that matter here, and those that do not belong there.
var globalWords = append([]string{"notify_fifo", "vrrp_notify_fifo", "script_user", "vrrp_version"}, rootWords...)

// global takes one of them.
func (p *parser) global(t token) {
	var value string
	if len(t.words) > 1 {
		value = t.words[1]
	}
	switch word := t.words[0]; word {
	case "notify_fifo", "vrrp_notify_fifo":
		p.fifo(t, value)
	case "script_user":
		p.config.ScriptUser = value
	case "vrrp_version":
		if value == "2" || value == "3" {
			p.version = value[0]
		}
	default:
		p.warn(t, "%s within global_defs: Keepalived knows it outside of blocks only, and leaves it out", word)
	}
}

// fifo takes notify_fifo or vrrp_notify_fifo. Of each the first counts.
func (p *parser) fifo(t token, path string) {
	word := t.words[0]
	switch {
	case path == "":
		p.warn(t, "%s without a path: Keepalived leaves it out", word)
		return
	case p.fifos[word]:
		p.warn(t, "%s %s: there is one already: Keepalived leaves this one out", word, path)
		return
	}
	p.fifos[word] = true
	f := FIFO{Path: path, User: p.config.ScriptUser, File: t.piece.file, Line: t.piece.line}
	if len(t.words) > 2 {
		f.User = t.words[2]
	}
	if f.User == "" {
		f.User = defaultUser
	}
	p.config.FIFOs = append(p.config.FIFOs, f)
}

// A timing is what an instance says about its advertisements.
type timing struct {
	interval time.Duration // the last advert_int that can be read
	version  byte          // the last version that can be; 0: none
	ipv6     bool          // of the instance's family
}

// defaultInterval is VRRP's (RFC 5798, section 6.1), and so Keepalived's.
const defaultInterval = time.Second

// learn takes what a statement of the instance says about its advertisements.
func (a *timing) learn(t token) (dropped bool) {
	if len(t.words) < 2 {
		return t.words[0] == "advert_int" // it ends 2.2.7
	}
	switch value := t.words[1]; t.words[0] {
	case "version":
		if value == "2" || value == "3" {
			a.version = value[0]
		}
	case "advert_int":
		interval, ok := seconds(value)
		if !ok {
			return true
		}
		a.interval = interval
	}
	return false
}

// settled returns the interval as Keepalived uses it: of version 2 in whole seconds, of version 3 in hundredths, up to 40.95
// (seen on 2.2.7). IPv6 is version 3, if nothing else is said.
func (a timing) settled(global byte) time.Duration {
	version := a.version
	switch {
	case version != 0:
	case a.ipv6:
		version = '3'
	default:
		version = global
	}
	if version == '3' {
		return min(a.interval.Round(10*time.Millisecond), 40950*time.Millisecond)
	}
	return max(a.interval.Round(time.Second), time.Second)
}

// settleIntervals gives each instance its interval, once all of the file was read.
func (p *parser) settleIntervals() {
	for i, timing := range p.timings {
		p.config.Instances[i].AdvertInterval = timing.settled(p.version)
	}
}

var decimal = regexp.MustCompile(`^\+?([0-9]+\.?[0-9]*|\.[0-9]+)$`)

// seconds reads a number of seconds as advert_int takes it: from 0.01 to 255.
func seconds(text string) (time.Duration, bool) {
	if !decimal.MatchString(text) {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimPrefix(text, "+"), 64)
	if err != nil || n < 0.01 || n > 255 {
		return 0, false
	}
	return time.Duration(n * float64(time.Second)).Round(time.Microsecond), true
}
