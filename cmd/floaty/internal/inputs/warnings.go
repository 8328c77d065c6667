package inputs

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/providers/logkey"
)

// A warning is something unusual about inputs that are usable nevertheless. It is logged by the daemon and shown in
// reports. It is comparable.
type warning struct {
	report.Warning
	reason string // details; may be empty
	always bool   // logged by notify scripts as well, which run once per event
}

const (
	warnIgnored     = "keepalived.conf is unusable: managing the addresses in the configuration without it"
	warnKept        = "keepalived.conf is unusable: its previous content stays in force"
	warnDropped     = "keepalived.conf contains something that Keepalived ignores"
	warnCleartext   = "the endpoint uses plain http: the credential is sent unencrypted"
	warnUnknownHost = "hostname-to-server-uuid does not contain this host: asking the metadata service instead"
	warnExposed     = "permissions are too open"
	warnUnusual     = "the configuration contains an unusual value"
)

// warnings returns what is unusual about the Inputs, except for what desired reports about the instances.
func (s Inputs) warnings() []warning {
	var all []warning
	add := func(always bool, reason string, w report.Warning) { all = append(all, warning{w, reason, always}) }
	if s.keepalivedErr != nil {
		text := warnIgnored
		if s.Keepalived != nil {
			text = warnKept
		}
		missing := s.Keepalived == nil && errors.Is(s.keepalivedErr, fs.ErrNotExist) // as in a container next to Keepalived's, which is fine
		add(true, s.keepalivedErr.Error(), report.Warning{Error: !missing, Text: text})
	}
	if s.Config.Cleartext() {
		add(false, s.Config.Endpoint(), report.Warning{Error: true, Text: warnCleartext})
	}
	if _, missing := s.Server(); missing != "" {
		add(true, missing, report.Warning{Text: warnUnknownHost})
	}
	for _, w := range s.configWarnings {
		text := warnUnusual
		if w.Serious {
			text = warnExposed
		}
		add(false, w.Text, report.Warning{Error: w.Serious, Text: text, File: w.File, Key: w.Key})
	}
	if s.Keepalived != nil {
		for _, w := range s.Keepalived.Warnings {
			add(true, w.Text, report.Warning{Error: true, Text: warnDropped, File: w.File, Line: w.Line})
		}
	}
	return append(all, s.fifoWarnings...)
}

// LogWarnings logs what is unusual about now and was not so before. A notify script, which runs once per event, logs
// less.
func LogWarnings(log logr.Logger, before, now Inputs, notify bool) {
	var said []warning
	if before.Config != nil {
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

// Reported returns everything unusual about the inputs for reports, as the daemon would log it at its start.
func (s Inputs) Reported() []report.Warning {
	var list []report.Warning
	for _, w := range s.warnings() {
		one := w.Warning
		one.Text += ": " + w.reason
		list = append(list, one)
	}
	for _, n := range desired.Compute(desired.Input{Settings: s.Settings(nil)}).Warnings {
		list = append(list, report.Warning{Error: n.Serious, Text: n.Message, Instance: n.Instance, Address: n.Address})
	}
	return list
}
