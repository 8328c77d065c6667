// Package exoscale implements the provider for Exoscale, where an elastic IP can be attached to several instances at once, which then
// share its traffic.
//
//   - Read costs one list of elastic IPs plus the cheaper of two ways: one filtered list of instances per address, or one list of all
//     instances and one get per instance.
//   - Assign attaches this instance first, and detaches every other holder once that is proved, so that the address always has a
//     target. It detaches an instance only if that instance itself shows the attachment; a list is not enough.
//   - A change is proved by the success of its operation, which is polled every 100 ms, later every second. If the operation cannot be
//     queried, fails or takes long, a reading of the instance is the proof. The next call continues an operation that outlives a call.
//   - A managed elastic IP, one with a health check, is meant to have several holders. Assign attaches this instance and detaches
//     no other, unless [Options.DetachManaged] is set.
//   - Server and the zone come from the metadata service, unless Options has them.
//
// An elastic IP is one IPv4 address or an IPv6 network (a /96), and every address in it is the same resource. The package never
// creates or deletes anything, and never retries.
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

	"floaty/providers"
	"floaty/providers/failurelog"
	"floaty/providers/httpapi"
)

// defaultMetadata is the directory of the metadata service, by address so that it needs no DNS.
const defaultMetadata = "http://169.254.169.254/1.0/meta-data/"

// Options configures [New].
type Options struct {
	// Endpoint is the URL of the API, with the version in its path. If empty, it is that of the zone.
	Endpoint string
	// Zone is the zone of the instance and its addresses, such as "ch-gva-2". If empty, the metadata service is asked. It is
	// ignored if Endpoint is set.
	Zone string
	// Credential returns the API key and its secret. It is called for each request, so that a new pair takes effect at once.
	Credential func() (key, secret string)
	// Instance is the ID of the instance that this process runs on. If empty, the metadata service is asked.
	Instance string
	// DetachManaged lets Assign detach the other holders of a managed elastic IP too.
	DetachManaged bool
	// MetadataURL is the URL of the metadata directory. If empty, it is that of Exoscale.
	MetadataURL string
	httpapi.Hooks
	// MaxConcurrentRequests is how many calls one Read or Assign makes at the same time.
	MaxConcurrentRequests int
	// Log gets a line if the API key lacks a right that floaty can work without. The zero Logger drops it.
	Log logr.Logger
}

// A Provider works on the account of one API key, in one zone. It implements providers.Provider.
type Provider struct {
	opts    Options
	client  *http.Client
	sdk     sdk
	account account
	filter  filter
	started started
	flights flights
	names   providers.Names // of instances in lists

	mu        sync.Mutex       // guards all below
	zone      string           // from the metadata service; empty: not asked for yet
	unqueried failurelog.Entry // operations cannot be queried
}

// An sdk is the SDK's client for the current credential. A client keeps the credential that it was made with.
type sdk struct {
	mu          sync.Mutex // guards all below
	client      *v3.Client // the latest; nil: not made yet
	key, secret string     // of client
}

// New returns a provider. It makes no call. It returns an error if the endpoint or the instance's ID is not valid.
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
			endpoint.Path = "/v2/" // as in Exoscale's own endpoints, which are sometimes written without it
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
		Hooks:    opts.Hooks,
		Parallel: opts.MaxConcurrentRequests,
	})
	return p, nil
}

// Close closes idle connections. Later calls open new ones.
func (p *Provider) Close() { p.client.CloseIdleConnections() }

// connect returns an SDK client with the current credential.
func (p *Provider) connect(ctx context.Context) (*v3.Client, error) {
	endpoint, err := p.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	key, secret := p.opts.Credential()
	p.sdk.mu.Lock()
	defer p.sdk.mu.Unlock()
	if p.sdk.client != nil && p.sdk.key == key && p.sdk.secret == secret {
		return p.sdk.client, nil
	}
	// The SDK's default HTTP client retries silently: a 503 took five requests and 15 s.
	api, err := v3.NewClient(credentials.NewStaticCredentials(key, secret), v3.ClientOptWithHTTPClient(p.client),
		v3.ClientOptWithEndpoint(v3.Endpoint(endpoint)), v3.ClientOptWithUserAgent(httpapi.UserAgent()))
	if err != nil {
		return nil, fmt.Errorf("creating the Exoscale client: %w", err)
	}
	p.sdk.client, p.sdk.key, p.sdk.secret = api, key, secret
	return api, nil
}

// endpoint returns the URL of the API of the zone.
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
