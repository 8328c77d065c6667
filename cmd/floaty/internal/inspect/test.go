package inspect

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"floaty/cmd/floaty/internal/report"
	"floaty/desired"
	"floaty/providers"
	"floaty/providers/httpapi"
)

// A Test contains the answers to a self-test.
type Test struct {
	Answers
	Provider string
	// A Contact tells whether the API could be reached.
	Contact     Contact
	Name        string // of this server; empty: unknown
	DescribeErr error  // why Name is unknown
	Clock       time.Time
	Now         time.Time // when Clock was read
	Rights      bool      // whether the rights were checked; not every cloud has such a check
	RightsErr   error
}

// A Contact says whether the API was there at all.
type Contact struct {
	Reached bool
	TLS     string        // the version, such as "TLS 1.3"; empty: plain HTTP
	Took    time.Duration // from the first request to the first byte of a response
}

// notKnown is the text of a check that depends on another one, which failed and gives the reason.
const notKnown = "not known"

// Checks returns the verdict for each thing tested. A check that depends on another failed check does not repeat the
// reason.
func (t Test) Checks(set desired.Set) []report.Probe {
	credential := t.credential()
	checks := []report.Probe{t.api(), credential}
	if t.Rights {
		checks = append(checks, t.rights(credential.OK))
	}
	checks = append(checks, t.server(credential.OK))
	if !t.Clock.IsZero() {
		checks = append(checks, clock(t.Clock.Sub(t.Now), t.Provider))
	}
	reason := t.ReadErr // told by the first address, unless the checks of API and credential have told it
	if !credential.OK {
		reason = nil
	}
	for _, addr := range sorted(set) {
		checks = append(checks, t.address(addr, set.Addresses[addr].Instances, reason))
		reason = nil
	}
	return checks
}

// api checks whether the API can be reached.
func (t Test) api() report.Probe {
	p := report.Probe{Name: "api", OK: t.Contact.Reached}
	switch {
	case !p.OK && t.ReadErr != nil:
		p.Text = t.ReadErr.Error()
	case !p.OK && t.DescribeErr != nil:
		p.Text = t.DescribeErr.Error()
	case !p.OK:
		p.Text = "not asked"
	default:
		over := t.Contact.TLS
		if over == "" {
			over = "plain http"
		}
		p.Text = fmt.Sprintf("reached over %s, first answer after %v", over, t.Contact.Took.Round(time.Millisecond))
	}
	return p
}

// credential checks the credential by the result of reading with it. A "not found" alone proves nothing, because with
// a wrong path nothing is found, whatever the credential.
func (t Test) credential() report.Probe {
	p := report.Probe{Name: "credential", Text: notKnown}
	if !t.Contact.Reached {
		return p
	}
	if t.ReadErr == nil && len(t.Holdings) > 0 || t.ServerErr == nil && t.DescribeErr == nil {
		p.OK, p.Text = true, "accepted for reading"
		return p
	}
	missing := true
	for _, err := range []error{t.ReadErr, t.DescribeErr} {
		switch {
		case err == nil:
		case refused(err) && strings.Contains(err.Error(), rolePolicy):
			p.Text = "accepted, but it may not read: " + err.Error()
			return p
		case refused(err):
			p.Text = "refused: " + err.Error()
			return p
		case !errors.Is(err, providers.ErrNotFound):
			missing = false
			p.Text = notKnown + ": " + err.Error()
		case missing:
			p.Text = notKnown + ", nothing was found with it: is the endpoint right? " + err.Error()
		}
	}
	return p
}

// rolePolicy is part of Exoscale's message when the credential is valid but its role does not permit the call.
const rolePolicy = "role policy"

// refused reports whether the response is that to an invalid credential.
func refused(err error) bool {
	return errors.Is(err, providers.ErrUnauthorized) || httpapi.Status(err) == http.StatusForbidden
}

// rights checks the right that Assign needs and that no reading shows.
func (t Test) rights(accepted bool) report.Probe {
	p := report.Probe{Name: "rights", Text: notKnown}
	switch {
	case !accepted:
	case t.RightsErr != nil:
		p.Text = t.RightsErr.Error()
	default:
		p.OK, p.Text = true, "get-operation is allowed"
	}
	return p
}

func (t Test) server(accepted bool) report.Probe {
	p := report.Probe{Name: "server", Text: t.Server}
	switch {
	case t.ServerErr != nil:
		p.Text = "cannot determine this server's ID: " + t.ServerErr.Error()
	case t.DescribeErr == nil:
		p.OK, p.Text = true, strings.TrimSpace(t.Server+" "+t.Name)
	case !accepted:
		p.Text = t.Server + ": " + notKnown
	default:
		p.Text = t.Server + ": " + t.DescribeErr.Error()
	}
	return p
}

const (
	clockFine   = time.Minute      // a smaller difference is not mentioned
	clockLatest = 10 * time.Minute // the lifetime of a signature at Exoscale
)

// clock checks how far the API's clock is ahead of ours. Exoscale's documentation limits the age of a signature, but
// says nothing about one from the future: a local clock that is ahead is only mentioned.
func clock(ahead time.Duration, provider string) report.Probe {
	p := report.Probe{Name: "clock", OK: true, Text: "as the API's"}
	off := ahead.Abs()
	if off < clockFine {
		return p
	}
	direction := "behind"
	if ahead < 0 {
		direction = "ahead of"
	}
	p.Text = fmt.Sprintf("%v %s the API's", off.Round(time.Second), direction)
	if provider == "exoscale" && ahead > 0 {
		p.OK = off < clockLatest
		p.Text += fmt.Sprintf("; Exoscale rejects signatures that are more than %v old", clockLatest)
	}
	return p
}

// address checks one address. reason is why no address could be read, if no check has told it yet.
func (t Test) address(addr netip.Addr, instances []string, reason error) report.Probe {
	h := t.Holdings[addr]
	p := report.Probe{Name: "address", Address: addr, Instances: instances, Servers: h.Servers}
	switch {
	case reason != nil:
		p.Text = reason.Error()
	case t.ReadErr != nil:
		p.Text = notKnown
	case h.Err != nil:
		p.Text = h.Err.Error()
	case len(h.Servers) == 0:
		p.OK, p.Text = true, "not assigned to any server"
	case h.At(t.Server):
		p.OK, p.Text = true, "at this server"
	default:
		p.OK, p.Text = true, "at "+strings.Join(h.Servers, ", ")
	}
	if h.Shared {
		p.Text += " (shared: it has a health check)"
	}
	return p
}
