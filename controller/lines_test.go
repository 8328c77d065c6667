package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/desired/keepalived"
	"floaty/providers"
)

func TestLogLinesOfWritesAreAccurate(t *testing.T) {
	for name, tale := range map[string]struct {
		tell func(c *cloud, h *host)
		want string // the last line about one
	}{
		"a takeover": {
			func(_ *cloud, h *host) { h.says(keepalived.Master) },
			`"level"=0 "msg"="address assigned" "address"="198.51.100.1" "from"="server-there" "to"="server-here" "attempt"=1`,
		},
		"a takeover of an address that points at no server": {
			func(c *cloud, h *host) {
				c.move(one, "")
				time.Sleep(2 * interval)
				h.says(keepalived.Master)
			},
			`"level"=0 "msg"="address assigned" "address"="198.51.100.1" "to"="server-here" "attempt"=1`,
		},
		"a takeover when the previous holder is not known": {
			func(_ *cloud, h *host) {
				h.says(keepalived.Master)
				h.says(keepalived.Backup)
				time.Sleep(trip)
				h.says(keepalived.Master)
			},
			`"level"=0 "msg"="address assigned" "address"="198.51.100.1" "to"="server-here" "attempt"=1`,
		},
		"a takeover of an address that is already here": {
			func(c *cloud, h *host) {
				c.move(one, here)
				time.Sleep(2 * interval)
				h.says(keepalived.Master)
			},
			`"level"=0 "msg"="address is already there" "address"="198.51.100.1" "to"="server-here"`,
		},
		"a correction": {
			func(c *cloud, h *host) {
				h.says(keepalived.Master)
				time.Sleep(2 * interval)
				c.move(one, there)
				time.Sleep(2 * interval)
			},
			`"level"=0 "msg"="address moved back" "address"="198.51.100.1" "from"="server-there" "to"="server-here" "attempt"=1`,
		},
		"a correction after a start with everything in place": {
			func(c *cloud, h *host) {
				c.move(one, here)
				h.says(keepalived.Master)
				time.Sleep(2 * interval)
				c.move(one, there)
				time.Sleep(2 * interval)
			},
			`"level"=0 "msg"="address moved back" "address"="198.51.100.1" "from"="server-there" "to"="server-here" "attempt"=1`,
		},
		"a takeover while reads fail": {
			func(c *cloud, h *host) {
				c.spoil(one, errors.New("500"))
				time.Sleep(2 * interval)
				h.says(keepalived.Master)
				time.Sleep(10 * interval)
			},
			`"level"=0 "msg"="address assigned" "address"="198.51.100.1" "to"="server-here" "attempt"=1`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *cloud, h *host) {
				tale.tell(c, h)
				time.Sleep(10 * time.Second)
				lines := slices.DeleteFunc(h.lines(one.String()), func(line string) bool { return !strings.Contains(line, `"to"`) })
				if len(lines) == 0 || lines[len(lines)-1] != tale.want {
					t.Errorf("got %q\nwant the last to be %q", lines, tale.want)
				}
			})
		})
	}
}

// A failure that affects the whole cloud is logged elsewhere, when it begins and when it ends.
func TestReadingsThatAreHeldBackCauseNoLinePerAddress(t *testing.T) {
	for name, err := range map[string]error{
		"Retry-After": &providers.WaitError{Wait: 5 * time.Second, Err: errDown}, "not accepted": fmt.Errorf("401: %w", providers.ErrUnauthorized),
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *cloud, h *host) {
				c.spoil(one, err)
				time.Sleep(2 * interval)
				c.spoil(one, nil)
				time.Sleep(2 * interval)
				if lines := h.lines(one.String()); len(lines) != 0 {
					t.Errorf("got %q, want no line", lines)
				}
			})
		})
	}
}
