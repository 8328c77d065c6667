package cloudscale

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"floaty/providers/httpapi"
)

// Server returns the UUID of the server that this process runs on.
func (p *Provider) Server(ctx context.Context) (string, error) {
	if id := cmp.Or(p.byName(), p.server); id != "" {
		return id, nil
	}
	body, err := httpapi.Metadata(ctx, p.metadata)
	if err != nil {
		return "", err
	}
	var metadata struct {
		Meta struct {
			UUID string `json:"cloudscale_uuid"` // the top-level field "uuid" is another ID
		} `json:"meta"`
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		return "", fmt.Errorf("asking the metadata service: %w", err)
	}
	if metadata.Meta.UUID == "" {
		return "", errors.New("asking the metadata service: no meta.cloudscale_uuid: this is not a server at cloudscale.ch")
	}
	uuid, err := httpapi.ParseUUID(metadata.Meta.UUID)
	if err != nil {
		return "", fmt.Errorf("asking the metadata service: meta.cloudscale_uuid: %w", err)
	}
	return uuid, nil
}

// Describe returns the name of a server, and the time of the API's clock. Most errors come with the time, too.
func (p *Provider) Describe(ctx context.Context, server string) (name string, clock time.Time, err error) {
	ctx, answer := httpapi.Capture(ctx)
	found, err := p.api.Servers.Get(ctx, server)
	if err == nil && found.UUID == "" {
		err = errors.New("unusable response (want a server)")
	}
	if err := answer.Err(err); err != nil {
		return "", answer.Date(), fmt.Errorf("reading the server: %w", err)
	}
	return found.Name, answer.Date(), nil
}
