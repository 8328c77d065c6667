package main

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/providers/logkey"
)

// A warning is something odd about a setup that is usable all the same: what the daemon says in a log line, and the reports too.
// It is comparable.
type warning struct {
	report.Warning
	reason string // what the text leaves open; empty: nothing
	always bool   // a notify script says it too, at every event; else that would be once an event what is said once a start
}

const (
	warnUnread    = "keepalived.conf is unusable: the addresses of the configuration are managed without it"
	warnKept      = "keepalived.conf is unusable: what it said before stays in force"
	warnDropped   = "keepalived.conf has something that Keepalived drops"
	warnCleartext = "the endpoint is plain http: the credential travels in clear"
	warnUnlisted  = "hostname-to-server-uuid does not name this host: the metadata service is asked"
	warnExposed   = "permissions are too open"
	warnOdd       = "the configuration has an unusual value"
)

// warnings returns what is odd about the setup, but for what desired notes about its instances.
func (s setup) warnings() []warning {
	var all []warning
	add := func(always bool, reason string, w report.Warning) { all = append(all, warning{w, reason, always}) }
	if s.doubt != nil {
		text := warnUnread
		if s.keepalived != nil {
			text = warnKept
		}
		missing := s.keepalived == nil && errors.Is(s.doubt, fs.ErrNotExist) // as in a container beside Keepalived's: no fault
		add(true, s.doubt.Error(), report.Warning{Error: !missing, Text: text})
	}
	if s.config.Cleartext() {
		add(false, s.config.Endpoint(), report.Warning{Error: true, Text: warnCleartext})
	}
	if _, missing := s.server(); missing != "" {
		add(true, missing, report.Warning{Text: warnUnlisted})
	}
	for _, w := range s.odd {
		text := warnOdd
		if w.Serious {
			text = warnExposed
		}
		add(false, w.Text, report.Warning{Error: w.Serious, Text: text, File: w.File, Key: w.Key})
	}
	if s.keepalived != nil {
		for _, w := range s.keepalived.Warnings {
			add(true, w.Text, report.Warning{Error: true, Text: warnDropped, File: w.File, Line: w.Line})
		}
	}
	return append(all, s.meeting()...)
}

// logWarnings logs what is odd about now and was not so in before. A notify script, of which one is started an event, logs less.
func logWarnings(log logr.Logger, before, now setup, notify bool) {
	var said []warning
	if before.config != nil {
		said = before.warnings()
	}
	for _, w := range now.warnings() {
		if slices.Contains(said, w) || notify && !w.always {
			continue
		}
		w.log(log)
	}
}

func (w warning) log(log logr.Logger) {
	var about []any
	if place := w.Place(); place != "" {
		about = append(about, logkey.Path, place)
	}
	reason := w.reason
	if w.Key != "" {
		reason = w.Key + ": " + reason
	}
	if !w.Error {
		log.Info(w.Text, append(about, logkey.Err, reason)...)
		return
	}
	log.Error(errors.New(reason), w.Text, about...)
}

// reported returns all that is odd about the setup, as the reports have it: what the daemon would say when it starts.
func (s setup) reported() []report.Warning {
	var list []report.Warning
	for _, w := range s.warnings() {
		one := w.Warning
		one.Text += ": " + w.reason
		list = append(list, one)
	}
	for _, n := range desired.Compute(desired.Input{Settings: s.settings(nil)}).Warnings {
		list = append(list, report.Warning{Error: n.Problem, Text: n.Message, Instance: n.Instance, Address: n.Address})
	}
	return list
}
