package inputs

import (
	"floaty/config"
	"floaty/desired/keepalived"
	"floaty/desired/keepalived/conf"
)

// A ConfigID is the config id of Keepalived's VRRP process.
type ConfigID struct {
	value string // empty: the host name is used instead
	Known bool
}

// FindConfigID returns the config id of the VRRP process with that process ID.
func FindConfigID(pid int) ConfigID {
	value, known := keepalived.ConfigID(pid)
	return ConfigID{value: value, Known: known}
}

// readKeepalived reads keepalived.conf as Keepalived does. The config id matters only if the file has @id lines or uses $_INSTANCE. It is
// the configured one, else id if known, else that of the process in the PID file, else the host name as a guess.
func readKeepalived(c *config.Config, id ConfigID) (*conf.Config, error) {
	if c.KeepalivedConfigID != "" {
		id = ConfigID{value: c.KeepalivedConfigID, Known: true}
	}
	read, err := conf.Parse(c.KeepalivedConfig, conf.Options{ID: id.value, Guessed: !id.Known})
	if id.Known || !read.Conditions {
		return read, err
	}
	p, missing := keepalived.FindProcess(Inputs{Config: c, Keepalived: read}.PIDFile())
	if missing != nil {
		return read, err
	}
	defer p.Close()
	if id = FindConfigID(p.PID); !id.Known {
		return read, err
	}
	return conf.Parse(c.KeepalivedConfig, conf.Options{ID: id.value})
}
