// Package exoscale is the cloud of Exoscale: elastic IPs that can be attached to several instances at once, which then share
// the traffic.
//
//   - Read costs the list of elastic IPs, and the cheaper of one filtered list an address and one list of instances and a
//     get each.
//   - Assign attaches this instance first and detaches every other holder when that is proved, so that the address is never
//     without a target. Whom it detaches it has asked: nobody is detached on the word of a list alone.
//   - A change is proved by the success of its operation, which is asked for every 100 ms, later each second; and where that
//     cannot be asked for, fails or takes long, by a reading of the instance. An operation that outlives a call is gone on
//     with by the next one.
//   - A managed elastic IP, one with a health check, is meant to have several holders: only the own one is attached, unless
//     the options say otherwise.
//   - Server asks the metadata service, unless the configuration says which instance this is; so does the zone.
//
// An elastic IP is one IPv4 address, or an IPv6 network (a /96), and every address in it is that elastic IP. The package never
// creates or deletes anything, and retries nothing.
package exoscale

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	v3 "github.com/exoscale/egoscale/v3"
	"github.com/exoscale/egoscale/v3/credentials"
	"github.com/go-logr/logr"

	"floaty/providers/failurelog"
	"floaty/providers/httpapi"
)

// defaultMetadata is where an instance finds the metadata service; by address, so that it takes no DNS.
const defaultMetadata = "http://169.254.169.254/1.0/meta-data/"

// Options says which account is used, and from where.
type Options struct {
	// Endpoint is the URL of the API with the version in its path; empty: that of the zone.
	Endpoint string
	// Zone is the zone of the instance and its addresses, such as "ch-gva-2"; empty: the metadata service is asked. It is
	// not used with an Endpoint.
	Zone string
	// Credential returns the API key and its secret. It is asked on every call, so that new ones count at once.
	Credential func() (key, secret string)
	// Instance is the ID of the instance that this process runs on; empty: the metadata service is asked.
	Instance string
	// DetachManaged lets Assign detach the other holders of a managed elastic IP too.
	DetachManaged bool
	// MetadataURL is the directory in which the metadata service answers; empty: where Exoscale has it.
	MetadataURL string
	// Before is asked when a changing request is about to be sent; its error ends the call. It may be nil. See
	// [httpapi.Options].
	Before func(context.Context) error
	// Addresses returns how many addresses a takeover may have to move. It may be nil. See [httpapi.Options].
	Addresses func() int
	// MaxConcurrentRequests is how many calls are made side by side for one Read or Assign.
	MaxConcurrentRequests int
	// Log is told when a right is missing that floaty can do without; the zero Logger: nobody is.
	Log logr.Logger
}

// A Provider is the account of one API key, in one zone. It implements providers.Provider.
type Provider struct {
	opts    Options
	client  *http.Client
	account account
	filter  filter
	started started
	flights flights
	names   sync.Map // of instances, by ID, as lists have told them

	mu      sync.Mutex // guards all below
	api     *v3.Client // the last one made; nil: none
	key     string     // of api
	secret  string
	zone    string           // found by metadata
	unasked failurelog.Entry // operations cannot be asked for
}

// New returns a provider. It makes no call. The error says what is wrong with the endpoint or the instance's ID.
func New(opts Options) (*Provider, error) {
	if opts.MetadataURL == "" {
		opts.MetadataURL = defaultMetadata
	}
	if opts.Endpoint != "" {
		endpoint, err := httpapi.ParseEndpoint(opts.Endpoint)
		if err != nil {
			return nil, err
		}
		if endpoint.Path == "/" {
			endpoint.Path = "/v2/" // as in Exoscale's own, which are written without it now and then
		}
		opts.Endpoint = strings.TrimSuffix(endpoint.String(), "/")
	}
	if opts.Instance != "" {
		id, err := httpapi.ParseUUID(opts.Instance)
		if err != nil {
			return nil, err
		}
		opts.Instance = id
	}
	p := &Provider{opts: opts}
	p.client = httpapi.New(httpapi.Options{
		Secrets: func() []string {
			key, secret := opts.Credential()
			return []string{secret, key}
		},
		Before:    opts.Before,
		Addresses: opts.Addresses,
		Parallel:  opts.MaxConcurrentRequests,
	})
	return p, nil
}

// Close closes the connections that no call uses. Calls may still be made: they open new ones.
func (p *Provider) Close() { p.client.CloseIdleConnections() }

// connect returns the SDK's client for the present credential: the SDK copies it once and for all.
func (p *Provider) connect(ctx context.Context) (*v3.Client, error) {
	endpoint, err := p.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	key, secret := p.opts.Credential()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.api != nil && p.key == key && p.secret == secret {
		return p.api, nil
	}
	// The SDK's own HTTP client repeats calls without a word: a 503 took five requests and 15 s.
	api, err := v3.NewClient(credentials.NewStaticCredentials(key, secret), v3.ClientOptWithHTTPClient(p.client),
		v3.ClientOptWithEndpoint(v3.Endpoint(endpoint)), v3.ClientOptWithUserAgent(httpapi.UserAgent()))
	if err != nil {
		return nil, fmt.Errorf("making Exoscale's client: %w", err)
	}
	p.api, p.key, p.secret = api, key, secret
	return api, nil
}

// endpoint returns where the API of the zone is.
func (p *Provider) endpoint(ctx context.Context) (string, error) {
	if p.opts.Endpoint != "" {
		return p.opts.Endpoint, nil
	}
	zone, err := p.findZone(ctx)
	if err != nil {
		return "", err
	}
	return "https://api-" + url.PathEscape(zone) + ".exoscale.com/v2", nil
}
