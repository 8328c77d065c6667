package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A Warning is something odd about a configuration that is usable all the same.
type Warning struct {
	File    string // that it is about, or a directory; empty: it is about the value of Key
	Key     string // in full, such as cloudscale.token-file; empty: it is about the configuration file itself
	Text    string // one line; never a secret
	Serious bool   // a human should mend it; else it is worth knowing
}

// shortInterval is the refresh interval below which a cloud may take the reads of a few hosts for too many.
const shortInterval = time.Second

// Warnings returns what is odd about the configuration, and about who may read and write its files now.
func (c *Config) Warnings() []Warning {
	var all []Warning
	if c.RefreshInterval < shortInterval {
		all = append(all, Warning{Key: "refresh-interval", Text: fmt.Sprintf("%v is below %v: every host makes that many reads, "+
			"and the cloud may limit them", c.RefreshInterval, shortInterval)})
	}
	if c.RefreshTimeout > c.RefreshInterval {
		all = append(all, Warning{Key: "refresh-timeout", Text: fmt.Sprintf("%v is above refresh-interval %v: a read that hangs "+
			"holds up those that follow", c.RefreshTimeout, c.RefreshInterval)})
	}
	for _, f := range c.guarded() {
		if text := f.exposed(); text != "" {
			all = append(all, Warning{File: f.path, Key: f.key, Text: text, Serious: true})
		}
	}
	return all
}

// A guarded is a file or directory that not everybody may write to, or even read.
type guarded struct {
	key    string
	path   string
	secret bool
}

func (c *Config) guarded() []guarded {
	list := []guarded{
		{"", c.Path, c.secretInside()},
		{"keepalived-config", c.KeepalivedConfig, false},
		{"state-dir", c.StateDir, false},
	}
	chosen := c.cloud()
	for _, key := range chosen.secrets {
		if *key.file != "" {
			list = append(list, guarded{chosen.name + "." + key.name + "-file", *key.file, !key.public})
		}
	}
	return list
}

// secretInside reports whether a secret stands in the configuration file itself, be it one of the cloud that is not chosen.
func (c *Config) secretInside() bool {
	for _, cloud := range c.clouds() {
		for _, key := range cloud.secrets {
			if !key.public && *key.file == "" && *key.secret != (Secret{}) {
				return true
			}
		}
	}
	return false
}

// The permissions of everybody else, and the bit that keeps them from replacing the files of others in a directory.
const (
	othersEnter = 0o001
	othersWrite = 0o002
	othersRead  = 0o004
)

// exposed says what everybody else may do with g that they should not; empty: nothing, or it is not there.
func (g guarded) exposed() string {
	path, err := filepath.EvalSymlinks(g.path)
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	replaceable, reachable := above(path)
	switch mode := info.Mode(); {
	case !reachable:
		return ""
	case mode&othersWrite != 0:
		return fmt.Sprintf("everybody may write to it (mode %04o): chmod o-w", mode.Perm())
	case replaceable != "":
		return "everybody may replace it, for everybody may write to the directory " + replaceable
	case g.secret && mode&othersRead != 0:
		return fmt.Sprintf("everybody may read the secret in it (mode %04o): chmod o-r", mode.Perm())
	}
	return ""
}

// above reports whether everybody may reach path, and returns the directory on the way in which everybody may replace it; empty:
// there is none.
func above(path string) (replaceable string, reachable bool) {
	for dir := path; dir != "/"; {
		dir = filepath.Dir(dir)
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&othersEnter == 0 {
			return "", false
		}
		if replaceable == "" && info.Mode()&othersWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
			replaceable = dir
		}
	}
	return replaceable, true
}
