package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A Warning is something unusual about a configuration that is usable nevertheless.
type Warning struct {
	File    string // the file or directory concerned; empty: the warning is about the value of Key
	Key     string // the full name, such as cloudscale.token-file; empty: the warning is about the configuration file itself
	Text    string // one line; never contains a secret
	Serious bool   // somebody should fix it; false: it is worth knowing
}

// shortInterval is the refresh interval below which a cloud may start to limit the reads of a few hosts.
const shortInterval = time.Second

// Warnings returns what is unusual about the configuration and about the current permissions of its files.
func (c *Config) Warnings() []Warning {
	var all []Warning
	if c.RefreshInterval < shortInterval {
		all = append(all, Warning{Key: "refresh-interval", Text: fmt.Sprintf("%v is below %v: every host reads that often, "+
			"and the cloud may limit its requests", c.RefreshInterval, shortInterval)})
	}
	if c.RefreshTimeout > c.RefreshInterval {
		all = append(all, Warning{Key: "refresh-timeout", Text: fmt.Sprintf("%v is above refresh-interval %v: a read that hangs "+
			"delays the next ones", c.RefreshTimeout, c.RefreshInterval)})
	}
	for _, f := range c.protectedFiles() {
		if text := f.tooOpen(); text != "" {
			all = append(all, Warning{File: f.path, Key: f.key, Text: text, Serious: true})
		}
	}
	return all
}

// A protectedFile is a file or directory that not everybody should be able to write to or, if it is secret, read.
type protectedFile struct {
	key    string
	path   string
	secret bool
}

func (c *Config) protectedFiles() []protectedFile {
	list := []protectedFile{
		{"", c.Path, c.secretInside()},
		{"keepalived-config", c.KeepalivedConfig, false},
		{"state-dir", c.StateDir, false},
	}
	chosen := c.cloud()
	for _, key := range chosen.secrets {
		if *key.file != "" {
			list = append(list, protectedFile{chosen.name + "." + key.name + "-file", *key.file, !key.public})
		}
	}
	return list
}

// secretInside reports whether the configuration file itself contains a secret, which may be that of a cloud that is
// not the chosen one.
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

// The permission bits for users other than the owner and the group.
const (
	othersEnter = 0o001
	othersWrite = 0o002
	othersRead  = 0o004
)

// tooOpen tells which access everybody has to the file but should not have; empty: none, or there is no such file.
func (f protectedFile) tooOpen() string {
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	replaceable, reachable := checkParents(path)
	switch mode := info.Mode(); {
	case !reachable:
		return ""
	case mode&othersWrite != 0:
		return fmt.Sprintf("everybody may write to it (mode %04o): chmod o-w", mode.Perm())
	case replaceable != "":
		return "everybody may replace it, because its parent directory is world-writable: " + replaceable
	case f.secret && mode&othersRead != 0:
		return fmt.Sprintf("everybody may read the secret in it (mode %04o): chmod o-r", mode.Perm())
	}
	return ""
}

// checkParents reports whether everybody can reach path. If everybody can also replace something on the way to it,
// replaceable is the directory in which they can.
func checkParents(path string) (replaceable string, reachable bool) {
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
