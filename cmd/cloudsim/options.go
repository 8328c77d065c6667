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

// options are what the flags say.
type options struct {
	listen    string
	certFile  string // "": no TLS
	tokens    []string
	servers   []server
	addresses []address
	latency   time.Duration
	metadata  string // a server's ID, or ""
	quiet     bool
}

type server struct{ id, name string }

type address struct {
	network netip.Prefix
	holder  string // "": it is aimed at nothing
}

// parse reads the flags. The error names the flag and its value.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("cloudsim", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it all
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "")
	flags.Func("tls", "", func(value string) error {
		o.certFile = value
		return notEmpty(value)
	})
	flags.BoolVar(&o.quiet, "quiet", false, "")
	flags.Func("token", "", o.addToken)
	flags.Func("server", "", o.addServer)
	flags.Func("address", "", o.addAddress)
	flags.Func("latency", "", o.setLatency)
	flags.Func("metadata", "", func(value string) (err error) {
		o.metadata, err = httpapi.ParseUUID(value)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("there are only flags, and %q is none", flags.Arg(0))
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return options{}, fmt.Errorf("invalid value %q for flag -listen: %w", o.listen, err)
	}
	for _, a := range o.addresses { // now that all servers are known
		if a.holder != "" && !slices.ContainsFunc(o.servers, func(s server) bool { return s.id == a.holder }) {
			return options{}, fmt.Errorf("invalid value %q for flag -address: no -server %s", a.network.String()+"="+a.holder, a.holder)
		}
	}
	return o, nil
}

func (o *options) addToken(value string) error {
	o.tokens = append(o.tokens, value)
	return notEmpty(value)
}

func notEmpty(value string) error {
	if value == "" {
		return errors.New("it is empty")
	}
	return nil
}

func (o *options) addServer(value string) error {
	id, name, ok := strings.Cut(value, "=")
	if !ok {
		return errors.New("wanted is UUID=NAME")
	}
	id, err := httpapi.ParseUUID(id)
	o.servers = append(o.servers, server{id, name})
	return err
}

// addAddress reads PREFIX[=UUID]; an address without a length stands for itself alone.
func (o *options) addAddress(value string) error {
	text, id, held := strings.Cut(value, "=")
	network, err := netip.ParsePrefix(text)
	if addr, bare := netip.ParseAddr(text); bare == nil {
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

func (o *options) setLatency(value string) (err error) {
	if o.latency, err = time.ParseDuration(value); err == nil && o.latency < 0 {
		err = errors.New("it is below 0")
	}
	return err
}

// cloud returns the cloud that the options describe.
func (o *options) cloud() *simulator.Cloud {
	cloud := simulator.New()
	cloud.SetToken(o.tokens...)
	cloud.SetLatency(o.latency)
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
	return cloud
}
