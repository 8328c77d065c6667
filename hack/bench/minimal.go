package main

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"floaty/config"
	"floaty/desired/keepalived/conf"
)

// minimal stands in for floaty, as a process of its own: what a Go program costs that does no more than to write over net/http,
// with a warm connection, when a MASTER line comes, or at once as a notify script. It is the least that there is on a machine.
//
// It checks nothing, reads nothing and repeats nothing.
func minimal(args []string) error {
	if len(args) == 3 {
		return minimalDaemon(args[1], args[2])
	}
	return minimalNotify(args[0], args[2])
}

// isMinimal reports whether args are floaty's: --fifo CONFIG FIFO, or CONFIG INSTANCE NAME STATE PRIORITY.
func isMinimal(args []string) bool {
	return len(args) == 3 && args[0] == "--fifo" || len(args) == 5 && args[1] == "INSTANCE"
}

// minimalInput is what the minimal program reads: a client, and the addresses of each instance.
func minimalInput(configuration string) (*minimalClient, map[string][]netip.Prefix, error) {
	c, err := config.Load(configuration)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := conf.Parse(c.KeepalivedConfig, conf.Options{})
	if err != nil {
		return nil, nil, err
	}
	addrs := map[string][]netip.Prefix{}
	for _, instance := range parsed.Instances {
		addrs[instance.Name] = instance.Addresses
	}
	return &minimalClient{
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.MaxConcurrentRequests}},
		base: c.Cloudscale.Endpoint + "/v1/floating-ips", token: c.Cloudscale.Token.Reveal(), server: c.Cloudscale.ServerUUID,
	}, addrs, nil
}

// minimalNotify writes all addresses of an instance, and waits to be ended.
func minimalNotify(configuration, name string) error {
	m, addrs, err := minimalInput(configuration)
	if err != nil {
		return err
	}
	var writes errgroup.Group
	for _, addr := range addrs[name] {
		writes.Go(func() error { return m.assign(addr.Addr()) })
	}
	if err := writes.Wait(); err != nil {
		return err
	}
	select {}
}

// minimalDaemon writes the addresses of an instance whenever it is MASTER.
func minimalDaemon(configuration, fifo string) error {
	m, addrs, err := minimalInput(configuration)
	if err != nil {
		return err
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		return err
	}
	lines, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0) //nolint:gosec // our own words
	if err != nil {
		return err
	}
	if err := m.call(http.MethodGet, m.base, ""); err != nil {
		return err
	}
	failed := make(chan error, 1)
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
			if state != "MASTER" {
				continue
			}
			for _, addr := range addrs[name] {
				go func() {
					if err := m.assign(addr.Addr()); err != nil {
						failed <- err
					}
				}()
			}
		}
		select {
		case err := <-failed:
			return err
		default:
		}
	}
}

type minimalClient struct {
	http                *http.Client
	base, token, server string
}

func (m *minimalClient) assign(addr netip.Addr) error {
	return m.call(http.MethodPatch, m.base+"/"+addr.String(), `{"server":"`+m.server+`"}`)
}

func (m *minimalClient) call(method, url, body string) error {
	req, err := http.NewRequest(method, url, strings.NewReader(body)) //nolint:noctx,gosec // as little as possible, to our own server
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	resp, err := m.http.Do(req) //nolint:gosec // our own server
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
