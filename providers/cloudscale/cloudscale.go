// Package cloudscale is the cloud of cloudscale.ch: floating IPs that point at one server each.
//
//   - Read lists all floating IPs of the account in one call, however many are asked for.
//   - Assign points a floating IP at a server in one call, which takes effect at once and needs no release before.
//   - Server asks the metadata service, unless the configuration says which server this is.
//
// A floating IP that is aimed at a load balancer is held by the load balancer: its ID stands where a server's would, so
// that who looks sees where the traffic goes. A floating IP may be a network (an IPv6 /56), and every address in it is that
// floating IP.
//
// It never releases a floating IP, never creates or deletes anything, and retries nothing.
package cloudscale

import (
	"context"
	"net/http"
	"sync/atomic"

	sdk "github.com/cloudscale-ch/cloudscale-go-sdk/v8"

	"floaty/providers/httpapi"
	"floaty/providers/netset"
)

const (
	defaultEndpoint = "https://api.cloudscale.ch"
	defaultMetadata = "http://169.254.169.254/openstack/latest/meta_data.json"
)

// Options says which account is used, and from where.
type Options struct {
	// Endpoint is the URL of the API, without the version in its path; empty: that of cloudscale.ch.
	Endpoint string
	// Token returns the API token. It is asked on every call, so that a new one counts at once.
	Token func() string
	// Server is the UUID of the server that this process runs on; empty: the metadata service is asked.
	Server string
	// MetadataURL is where the metadata service is asked; empty: where cloudscale.ch has it.
	MetadataURL string
	// Before is asked when a changing request is about to be sent; its error ends the call. It may be nil. See
	// [httpapi.Options].
	Before func(context.Context) error
	// Addresses returns how many addresses a takeover may have to move. It may be nil. See [httpapi.Options].
	Addresses func() int
	// MaxConcurrentRequests is how many calls are made side by side.
	MaxConcurrentRequests int
}

// A Provider is the account of one token. It implements providers.Provider.
type Provider struct {
	client   *http.Client
	api      *sdk.Client
	server   string // "" if the metadata service must be asked
	metadata string
	names    atomic.Pointer[map[string]string]    // of the servers in the last list, by ID; nil: there was none
	six      atomic.Pointer[netset.Set[struct{}]] // the IPv6 networks of the last list; nil: there was none
}

// New returns a provider. It makes no call. The error says what is wrong with the endpoint or the server's UUID.
func New(opts Options) (*Provider, error) {
	if opts.Endpoint == "" {
		opts.Endpoint = defaultEndpoint
	}
	if opts.MetadataURL == "" {
		opts.MetadataURL = defaultMetadata
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
		Endpoint:  endpoint,
		Token:     opts.Token,
		Before:    opts.Before,
		Addresses: opts.Addresses,
		Parallel:  opts.MaxConcurrentRequests,
	})
	api := sdk.NewClient(client)
	api.BaseURL = endpoint // NewClient obeys the environment variable CLOUDSCALE_API_URL
	api.UserAgent = httpapi.UserAgent()
	return &Provider{client: client, api: api, server: opts.Server, metadata: opts.MetadataURL}, nil
}

// Close closes the connections that no call uses. Calls may still be made: they open new ones.
func (p *Provider) Close() { p.client.CloseIdleConnections() }
