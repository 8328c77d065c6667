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

// A Test is what a self-test was answered.
type Test struct {
	Answers
	Provider    string
	Contact     Contact
	Name        string // of the server
	DescribeErr error  // why it is not known
	Clock       time.Time
	Now         time.Time // when the clock was asked
	Rights      bool      // whether the rights were asked for: not every cloud has a question
	RightsErr   error
}

// A Contact says whether the API was there at all.
type Contact struct {
	Reached bool
	TLS     string        // the version, such as "TLS 1.3"; empty: plain http
	Took    time.Duration // from the first request to the first byte of an answer
}

// notKnown is said of what hangs on something that failed, which says why.
const notKnown = "not known"

// Checks judges a self-test, thing by thing. What hangs on another thing that failed does not repeat why.
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
	unsaid := t.ReadErr // unless the API or the credential is the reason
	if !credential.OK {
		unsaid = nil
	}
	for _, addr := range sorted(set) {
		checks = append(checks, t.address(addr, set.Addresses[addr].Instances, unsaid))
		unsaid = nil
	}
	return checks
}

// api judges whether the API is there.
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

// credential judges the credential by what came of reading with it. What is not found proves nothing by itself: a wrong path is
// not found with any credential.
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

// rolePolicy is in the message of Exoscale that refuses what a role forbids to a credential that is as it should be.
const rolePolicy = "role policy"

// refused reports whether a call was answered as one with a wrong credential is.
func refused(err error) bool {
	return errors.Is(err, providers.ErrUnauthorized) || httpapi.Status(err) == http.StatusForbidden
}

// rights judges what came of the question for the right that Assign needs and no reading shows.
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
		p.Text = "which server is this: " + t.ServerErr.Error()
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
	clockFine   = time.Minute      // that clocks may differ without a word
	clockLatest = 10 * time.Minute // that a signature of Exoscale's lives
)

// clock judges how far the API's clock is ahead. Exoscale's documentation bounds how old a signature may be, not how young: a
// clock that is ahead of the API's is worth a word only.
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
		p.Text += fmt.Sprintf("; Exoscale takes no signature that is more than %v old", clockLatest)
	}
	return p
}

// address judges one address. unsaid is why nothing could be read, if nobody has said it.
func (t Test) address(addr netip.Addr, instances []string, unsaid error) report.Probe {
	h := t.Holdings[addr]
	p := report.Probe{Name: "address", Address: addr, Instances: instances, Servers: h.Servers}
	switch {
	case unsaid != nil:
		p.Text = unsaid.Error()
	case t.ReadErr != nil:
		p.Text = notKnown
	case h.Err != nil:
		p.Text = h.Err.Error()
	case len(h.Servers) == 0:
		p.OK, p.Text = true, "at nothing"
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
