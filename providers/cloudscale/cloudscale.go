// Package cloudscale implements the provider for cloudscale.ch, where each floating IP points at one server.
//
//   - Read lists all floating IPs of the account in one call, however many addresses it is asked for.
//   - Assign points a floating IP at a server in one call. The change is synchronous, and the floating IP need not be released first.
//   - Server asks the metadata service, unless Options or the host's name determines the server.
//
// If a floating IP points at a load balancer, its holder is that load balancer, by ID. A floating IP may be a network (an IPv6 /56);
// every address in it is the same resource.
//
// The package never releases a floating IP, never creates or deletes anything, and never retries.
package cloudscale

import (
	"net/http"
	"sync/atomic"

	sdk "github.com/cloudscale-ch/cloudscale-go-sdk/v8"

	"floaty/providers"
	"floaty/providers/httpapi"
	"floaty/providers/netset"
)

const (
	defaultEndpoint = "https://api.cloudscale.ch"
	defaultMetadata = "http://169.254.169.254/openstack/latest/meta_data.json"
)

// Options configures [New].
type Options struct {
	// Endpoint is the URL of the API, without the version in its path. If empty, it is https://api.cloudscale.ch.
	Endpoint string
	// Token returns the API token. It is called for each request, so that a new token takes effect at once.
	Token func() string
	// Server is the UUID of the server that this process runs on. If empty, the metadata service is asked.
	Server string
	// ServerByHostName returns the UUID of the server that this host's name determines, which goes before Server; empty: none. It
	// may be nil. It is called whenever the server is asked for, because the name may be set or corrected after the start, by
	// cloud-init, by DHCP, or after cloning another host.
	ServerByHostName func() string
	// MetadataURL is the URL of the metadata. If empty, it is that of cloudscale.ch.
	MetadataURL string
	httpapi.Hooks
	// MaxConcurrentRequests is how many calls are made at the same time.
	MaxConcurrentRequests int
}

// A Provider works on the account of one token. It implements providers.Provider.
type Provider struct {
	client   *http.Client
	api      *sdk.Client
	byName   func() string // returns this server if the host's name determines it
	server   string        // empty: ask the metadata service
	metadata string
	names    providers.Names                      // of servers in lists
	six      atomic.Pointer[netset.Set[struct{}]] // the IPv6 networks of the last list; nil: no list yet
}

// New returns a provider. It makes no call. It returns an error if the endpoint or the server's UUID is not valid.
func New(opts Options) (*Provider, error) {
	if opts.Endpoint == "" {
		opts.Endpoint = defaultEndpoint
	}
	if opts.MetadataURL == "" {
		opts.MetadataURL = defaultMetadata
	}
	if opts.ServerByHostName == nil {
		opts.ServerByHostName = func() string { return "" }
	}
	endpoint, err := httpapi.ParseEndpoint(opts.Endpoint)
	if err != nil {
		return nil, err
	}
	if opts.Server != "" {
		if opts.Server, err = httpapi.ParseUUID(opts.Server); err != nil {
			return nil, err
		}
	}
	client := httpapi.New(httpapi.Options{
		Endpoint: endpoint,
		Token:    opts.Token,
		Hooks:    opts.Hooks,
		Parallel: opts.MaxConcurrentRequests,
	})
	api := sdk.NewClient(client)
	api.BaseURL = endpoint // NewClient obeys the environment variable CLOUDSCALE_API_URL
	api.UserAgent = httpapi.UserAgent()
	return &Provider{client: client, api: api, byName: opts.ServerByHostName, server: opts.Server, metadata: opts.MetadataURL}, nil
}

// Close closes idle connections. Later calls open new ones.
func (p *Provider) Close() { p.client.CloseIdleConnections() }
