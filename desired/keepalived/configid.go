package keepalived

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// ConfigID returns the config ID with which a Keepalived was started (its option -i). An empty ID means that none was given, so Keepalived
// uses the host name. ok is false if the command line of the process cannot be read.
func ConfigID(pid int) (id string, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // its children have the same
	if err != nil || len(text) == 0 {
		return "", false
	}
	var args []string
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte{0}), []byte{0}) {
		args = append(args, string(arg))
	}
	return configID(args[1:]), true
}

// The short options that take a value, which may be the next argument, and those whose value can only follow directly (2.2.7).
const (
	withValue = "uSfpisrcbA"
	mayValue  = "Mgt"
)

// configID returns the value of the last -i or --config-id, as getopt_long(3) would find it.
func configID(args []string) (id string) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		next := func() (value string) {
			if len(args) > 0 {
				value, args = args[0], args[1:]
			}
			return value
		}
		long, isLong := strings.CutPrefix(arg, "--")
		switch {
		case isLong && long == "": // the end of all options
			return id
		case isLong:
			name, value, given := strings.Cut(long, "=")
			if !strings.HasPrefix(name, "config-i") || !strings.HasPrefix("config-id", name) { // it may be abbreviated, as long as it is unambiguous
				continue
			}
			if id = value; !given {
				id = next()
			}
		case strings.HasPrefix(arg, "-"):
			at := strings.IndexAny(arg[1:], withValue+mayValue) + 1
			if at == 0 || strings.IndexByte(mayValue, arg[at]) >= 0 {
				continue
			}
			value := arg[at+1:]
			if value == "" {
				value = next()
			}
			if arg[at] == 'i' {
				id = value
			}
		}
	}
	return id
}
