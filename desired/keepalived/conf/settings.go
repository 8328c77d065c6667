package conf

import (
	"strconv"
	"strings"
	"time"
)

// A FIFO is a FIFO to which Keepalived writes VRRP events.
type FIFO struct {
	Path string
	User string // the user who owns it if Keepalived makes it; a user who does not exist means root
	File string
	Line int
}

// defaultUser owns a FIFO for which no user is set, if there is a user of that name (seen on 2.2.7).
const defaultUser = "keepalived_script"

// isRootWord reports whether a keyword is a setting that Keepalived knows only outside of blocks.
func isRootWord(word string) bool {
	return word == "instance" || word == "net_namespace" || word == "use_pid_dir"
}

// PIDFile returns the path of the pid file of Keepalived's VRRP process, unless Keepalived's option -r sets another. A network namespace has
// its own directory (seen on 2.2.7).
func (g Globals) PIDFile() string {
	dir, name := "/run/", "vrrp"
	if g.PIDDir || g.Instance != "" || g.NetNamespace != "" {
		dir += "keepalived/"
	}
	if g.NetNamespace != "" {
		dir += g.NetNamespace + "/"
	}
	if g.Instance != "" {
		name += "_" + g.Instance
	}
	return dir + name + ".pid"
}

// rootSetting reads a setting outside of blocks. The first of several counts.
func (p *parser) rootSetting(t token) {
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
		p.warn(t, "%s %s: it is already %s: Keepalived ignores this one", t.words[0], value, *setting)
		return
	}
	*setting = value
}

// globalDefs reads global_defs.
func (p *parser) globalDefs(t token) error {
	return p.block(t, func(inner token) error {
		if isList(inner.words[0]) {
			return inner.misplaced(t)
		}
		if isGlobalWord(inner.words[0]) {
			if err := inner.checkWords(); err != nil {
				return err
			}
			p.globalSetting(inner)
		}
		return p.skip(inner, isList)
	})
}

// isGlobalWord reports whether a keyword is a setting in global_defs that matters here, or is misplaced there.
func isGlobalWord(word string) bool {
	switch word {
	case "notify_fifo", "vrrp_notify_fifo", "script_user", "vrrp_version":
		return true
	}
	return isRootWord(word)
}

// globalSetting reads such a setting.
func (p *parser) globalSetting(t token) {
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
		p.warn(t, "%s within global_defs: Keepalived ignores it there, because it belongs outside of all blocks", word)
	}
}

// fifo reads notify_fifo or vrrp_notify_fifo. The first of each counts.
func (p *parser) fifo(t token, path string) {
	word := t.words[0]
	switch {
	case path == "":
		p.warn(t, "%s without a path: Keepalived ignores it", word)
		return
	case p.fifos[word]:
		p.warn(t, "%s %s: there is already one: Keepalived ignores this one", word, path)
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

// A timing is what an instance sets about its advertisements.
type timing struct {
	interval time.Duration // the last valid advert_int
	version  byte          // the last valid version; 0: not set
	ipv6     bool          // whether the instance's address family is IPv6
}

// defaultInterval is the default of VRRP (RFC 5798, section 6.1) and of Keepalived.
const defaultInterval = time.Second

// learn applies a statement in the instance. It reports whether Keepalived ignores the statement with a message.
func (a *timing) learn(t token) (dropped bool) {
	if len(t.words) < 2 {
		return t.words[0] == "advert_int" // Keepalived 2.2.7 exits because of it
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

// effective returns the interval that Keepalived uses: whole seconds in version 2 of VRRP, hundredths of a second up to 40.95 s in version 3
// (seen on 2.2.7). global is the version of instances that do not set it, except that IPv6 means version 3.
func (a timing) effective(global byte) time.Duration {
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

// setIntervals sets the interval of each instance, once the whole file has been read.
func (p *parser) setIntervals() {
	for i, timing := range p.timings {
		p.config.Instances[i].AdvertInterval = timing.effective(p.version)
	}
}

// seconds parses the value of advert_int: a number of seconds from 0.01 to 255.
func seconds(text string) (time.Duration, bool) {
	text = strings.TrimPrefix(text, "+")
	if strings.Trim(text, ".0123456789") != "" { // ParseFloat also accepts signs, exponents and words
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0.01 || n > 255 {
		return 0, false
	}
	return time.Duration(n * float64(time.Second)).Round(time.Microsecond), true
}
