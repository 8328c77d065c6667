// Package cloud builds the provider that the configuration names. It is the only package that imports every cloud: a new one is a
// constructor here, and a line in the map of constructors.
//
// It makes no call, and decides nothing about addresses.
package cloud

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/inputs"
	"floaty/config"
	"floaty/providers"
	"floaty/providers/cloudscale"
	"floaty/providers/exoscale"
	"floaty/providers/httpapi"
)

// A Cloud is a provider with further methods that only the command needs.
type Cloud interface {
	providers.Provider
	// Describe returns a server's name and the time of the API's clock. Most errors come with the time, too.
	Describe(ctx context.Context, server string) (name string, clock time.Time, err error)
	// ServerName returns a server's name, if a reading has contained it; empty: unknown.
	ServerName(id string) string
	// Close closes idle connections.
	Close()
}

// Options are what a cloud needs in addition to the inputs.
type Options struct {
	Current func() *config.Config // returns the configuration in force, from which every call takes the credential
	httpapi.Hooks
	Log logr.Logger
}

// New returns the configured cloud, without a wrapper: that would hide the methods that only some clouds have.
func New(s inputs.Inputs, opts Options) (Cloud, error) {
	build, known := map[string]func(*config.Config, Options) (Cloud, error){
		"cloudscale": newCloudscale,
		"exoscale":   newExoscale,
	}[s.Config.Provider]
	if !known {
		return nil, fmt.Errorf("provider %q is not known", s.Config.Provider)
	}
	return build(s.Config, opts)
}

func newCloudscale(c *config.Config, opts Options) (Cloud, error) {
	return cloudscale.New(cloudscale.Options{
		Endpoint: c.Cloudscale.Endpoint,
		Token:    func() string { return opts.Current().Cloudscale.Token.Reveal() },
		Server:   c.Cloudscale.ServerUUID,
		ServerByHostName: func() string {
			id, _ := inputs.ServerByHostName(opts.Current(), inputs.HostName())
			return id
		},
		Hooks:                 opts.Hooks,
		MaxConcurrentRequests: c.MaxConcurrentRequests,
	})
}

func newExoscale(c *config.Config, opts Options) (Cloud, error) {
	return exoscale.New(exoscale.Options{
		Endpoint: c.Exoscale.Endpoint,
		Zone:     c.Exoscale.Zone,
		Credential: func() (key, secret string) {
			c := opts.Current().Exoscale
			return c.Key.Reveal(), c.Secret.Reveal()
		},
		Instance:              c.Exoscale.InstanceID,
		DetachManaged:         c.Exoscale.DetachManaged,
		Hooks:                 opts.Hooks,
		MaxConcurrentRequests: c.MaxConcurrentRequests,
		Log:                   opts.Log,
	})
}
