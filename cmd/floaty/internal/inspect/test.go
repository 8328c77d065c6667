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
	Contact     Contact       // whether the API could be reached
	Name        string        // of this server; empty: unknown
	DescribeErr error         // why Name is unknown
	Clock       time.Time     // of the API; zero: unknown
	Now         time.Time     // when Clock was read
	Signature   time.Duration // how long the cloud accepts the signature of a request; 0: requests are not signed
	Rights      bool          // whether a right was checked; not every cloud has such a check
	Right       string        // the name of that right, if it is granted
	RightsErr   error         // why it is not known that the right is granted
}

// A Contact tells whether the API could be reached at all.
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
		checks = append(checks, clock(t.Clock.Sub(t.Now), t.Signature))
	}
	reason := t.ReadErr // shown with the first address, unless the API or credential check has shown it
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
		case errors.Is(err, providers.ErrUnauthorized):
			p.Text = "refused: " + err.Error()
			return p
		case httpapi.Status(err) == http.StatusForbidden:
			p.Text = "accepted, but it may not read: " + err.Error()
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

// rights checks the right that Assign needs and that no reading shows.
func (t Test) rights(accepted bool) report.Probe {
	p := report.Probe{Name: "rights", Text: notKnown}
	switch {
	case !accepted:
	case t.RightsErr != nil:
		p.Text = t.RightsErr.Error()
	default:
		p.OK, p.Text = true, t.Right+" is allowed"
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

// clockFine is the difference of two clocks below which it is not mentioned.
const clockFine = time.Minute

// clock checks how far the API's clock is ahead of ours. signature is how long the cloud accepts a signature; 0: there are none. No
// cloud documents a limit for a signature from the future: a local clock that is ahead is only mentioned.
func clock(ahead, signature time.Duration) report.Probe {
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
	if signature > 0 && ahead > 0 {
		p.OK = off < signature
		p.Text += fmt.Sprintf("; the API rejects signatures that are more than %v old", signature)
	}
	return p
}

// address checks one address. reason is why no address could be read, if no check has shown it yet.
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
