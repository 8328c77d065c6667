package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"floaty/providers/httpapi"
	"floaty/providers/simulator"
)

// options are the parsed flags.
type options struct {
	listen    string
	certFile  string // empty: no TLS
	tokens    []string
	keys      map[string]string // secrets by key
	servers   []server
	addresses []address
	managed   []netip.Addr
	latency   time.Duration
	operation time.Duration
	metadata  string // a server's ID; may be empty
	quiet     bool
}

type server struct{ id, name string }

type address struct {
	network netip.Prefix
	holder  string // empty: no server holds it
}

// parse parses the flags. The error names the flag and its value.
func parse(args []string) (options, error) {
	o := options{keys: map[string]string{}}
	flags := flag.NewFlagSet("cloudsim", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error contains everything
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "")
	flags.Func("tls", "", func(value string) error {
		o.certFile = value
		return notEmpty(value)
	})
	flags.BoolVar(&o.quiet, "quiet", false, "")
	flags.Func("token", "", o.addToken)
	flags.Func("server", "", o.addServer)
	flags.Func("address", "", o.addAddress)
	flags.Func("exoscale-key", "", o.addKey)
	flags.Func("managed", "", o.addManaged)
	flags.Func("latency", "", func(value string) (err error) {
		o.latency, err = parseDuration(value)
		return err
	})
	flags.Func("operation-time", "", func(value string) (err error) {
		o.operation, err = parseDuration(value)
		return err
	})
	flags.Func("metadata", "", func(value string) (err error) {
		o.metadata, err = httpapi.ParseUUID(value)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: only flags are allowed", flags.Arg(0))
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return options{}, fmt.Errorf("invalid value %q for flag -listen: %w", o.listen, err)
	}
	for _, a := range o.addresses { // now that all servers are known
		if a.holder != "" && !slices.ContainsFunc(o.servers, func(s server) bool { return s.id == a.holder }) {
			return options{}, fmt.Errorf("invalid value %q for flag -address: no -server %s", a.network.String()+"="+a.holder, a.holder)
		}
	}
	for _, addr := range o.managed {
		if !slices.ContainsFunc(o.addresses, func(a address) bool { return a.network.Addr() == addr }) {
			return options{}, fmt.Errorf("invalid value %q for flag -managed: no -address %v", addr, addr)
		}
	}
	return o, nil
}

func (o *options) addToken(value string) error {
	o.tokens = append(o.tokens, value)
	return notEmpty(value)
}

// addKey parses KEY:SECRET. The secret may contain a colon.
func (o *options) addKey(value string) error {
	key, secret, _ := strings.Cut(value, ":")
	if key == "" || secret == "" {
		return errors.New("want KEY:SECRET")
	}
	o.keys[key] = secret
	return nil
}

func notEmpty(value string) error {
	if value == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func (o *options) addServer(value string) error {
	id, name, ok := strings.Cut(value, "=")
	if !ok {
		return errors.New("want UUID=NAME")
	}
	id, err := httpapi.ParseUUID(id)
	o.servers = append(o.servers, server{id, name})
	return err
}

// addAddress parses PREFIX[=UUID]. An address without a prefix length is a prefix of one address.
func (o *options) addAddress(value string) error {
	text, id, held := strings.Cut(value, "=")
	network, err := netip.ParsePrefix(text)
	if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
		network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return err
	}
	if err := simulator.CheckNetwork(network); err != nil {
		return err
	}
	if held {
		if id, err = httpapi.ParseUUID(id); err != nil {
			return err
		}
	}
	o.addresses = append(o.addresses, address{network, id})
	return nil
}

func (o *options) addManaged(value string) error {
	addr, err := netip.ParseAddr(value)
	o.managed = append(o.managed, addr)
	return err
}

func parseDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err == nil && d < 0 {
		err = errors.New("must not be negative")
	}
	return d, err
}

// cloud returns the cloud described by the options.
func (o *options) cloud() *simulator.Cloud {
	cloud := simulator.New()
	cloud.SetToken(o.tokens...)
	for key, secret := range o.keys {
		cloud.SetKey(key, secret)
	}
	cloud.SetLatency(o.latency)
	cloud.SetOperationTime(o.operation)
	cloud.SetMetadata(nil, o.metadata)
	for _, s := range o.servers {
		cloud.AddServer(s.id, s.name)
	}
	for _, a := range o.addresses {
		if a.holder == "" {
			cloud.AddAddress(a.network)
		} else {
			cloud.AddAddress(a.network, a.holder)
		}
	}
	for _, addr := range o.managed {
		cloud.SetManaged(addr, true)
	}
	return cloud
}
