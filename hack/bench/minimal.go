package main

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"floaty/config"
	"floaty/desired/keepalived/conf"
)

// A minimalProgram replaces floaty, as a separate process. It shows the cost of a Go program that does nothing but write: over a warm
// connection when a MASTER line comes, or immediately as a notify script. It checks nothing, reads nothing and repeats nothing.
type minimalProgram struct {
	http                *http.Client
	base, token, server string
	addrs               map[string][]netip.Prefix // by instance
	failed              chan error
}

// isMinimal reports whether args are those of a floaty: --fifo CONFIG FIFO, or CONFIG INSTANCE NAME STATE PRIORITY.
func isMinimal(args []string) bool {
	return len(args) == 3 && args[0] == "--fifo" || len(args) == 5 && args[1] == "INSTANCE"
}

// minimal runs the minimal program until it fails.
func minimal(args []string) error {
	configuration := args[0]
	if len(args) == 3 {
		configuration = args[1]
	}
	c, err := config.Load(configuration)
	if err != nil {
		return err
	}
	parsed, err := conf.Parse(c.KeepalivedConfig, conf.Options{})
	if err != nil {
		return err
	}
	m := minimalProgram{
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.MaxConcurrentRequests}},
		base: c.Cloudscale.Endpoint + "/v1/floating-ips", token: c.Cloudscale.Token.Reveal(), server: c.Cloudscale.ServerUUID,
		addrs: map[string][]netip.Prefix{}, failed: make(chan error, 1),
	}
	for _, instance := range parsed.Instances {
		m.addrs[instance.Name] = instance.Addresses
	}
	if len(args) == 3 {
		return m.follow(args[2])
	}
	m.assign(args[2])
	return <-m.failed
}

// follow reads the FIFO and writes the addresses of an instance at each of its MASTER lines.
func (m minimalProgram) follow(fifo string) error {
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		return err
	}
	lines, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0) //nolint:gosec // no foreign input
	if err != nil {
		return err
	}
	if err := m.call(http.MethodGet, m.base, ""); err != nil {
		return err
	}
	for buf := make([]byte, 64<<10); ; {
		n, err := lines.Read(buf)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(buf[:n])) {
			var name, state string
			if _, err := fmt.Sscanf(line, "INSTANCE %q %s", &name, &state); err != nil {
				return err
			}
			if state == "MASTER" {
				m.assign(name)
			}
		}
		select {
		case err := <-m.failed:
			return err
		default:
		}
	}
}

// assign starts the writes of all addresses of an instance.
func (m minimalProgram) assign(instance string) {
	for _, addr := range m.addrs[instance] {
		go func() {
			if err := m.call(http.MethodPatch, m.base+"/"+addr.Addr().String(), `{"server":"`+m.server+`"}`); err != nil {
				m.failed <- err
			}
		}()
	}
}

func (m minimalProgram) call(method, url, body string) error {
	req, err := http.NewRequest(method, url, strings.NewReader(body)) //nolint:noctx // as little as possible
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	resp, err := m.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
