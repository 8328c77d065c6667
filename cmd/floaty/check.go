package main

import (
	"context"
	"io"
	"net/netip"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
)

// check prints what the configuration and keepalived.conf mean, without any request.
func check(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	var fifo *string
	if c.fifoGiven {
		fifo = &c.fifo
	}
	s, err := inputs.Load(ctx, c.config, fifo)
	if err != nil {
		return reportProblems(log, err)
	}
	server, _ := s.Server()
	warnings := append(s.Reported(), s.UnidentifiedWarnings(ctx, c.fifo)...)
	r := report.Check{Provider: s.Config.Provider, Server: server, Instances: []report.Instance{}, Groups: []report.Group{}, Warnings: warnings}
	if s.FIFO == nil && s.Keepalived != nil && len(s.Keepalived.Instances) > 0 && len(s.Keepalived.FIFOs) == 0 {
		r.Warnings = append(r.Warnings, report.Warning{Text: inputs.NoteNoFIFO})
	}
	for _, inst := range (desired.Input{Settings: s.Settings(nil)}).Instances() {
		addrs := append([]netip.Addr{}, inst.Addresses...)
		r.Instances = append(r.Instances, report.Instance{Name: inst.Name, Addresses: addrs, Source: inst.Source})
	}
	if s.Keepalived != nil {
		for _, g := range s.Keepalived.Groups {
			r.Groups = append(r.Groups, report.Group{Name: g.Name, Members: append([]string{}, g.Members...)})
		}
	}
	if err := r.Write(stdout, c.output); err != nil {
		log.Error(err, "cannot write the report")
		return exitUnusable
	}
	if !r.OK() {
		return exitUnusable
	}
	return exitOK
}
