package cloudscale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"floaty/providers/httpapi"
)

// Server returns the UUID of the server that this process runs on.
func (p *Provider) Server(ctx context.Context) (string, error) {
	if p.server != "" {
		return p.server, nil
	}
	body, err := httpapi.Metadata(ctx, p.metadata)
	if err != nil {
		return "", err
	}
	var metadata struct {
		Meta struct {
			UUID string `json:"cloudscale_uuid"` // the field "uuid" beside meta is another ID
		} `json:"meta"`
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		return "", fmt.Errorf("asking the metadata service: %w", err)
	}
	if metadata.Meta.UUID == "" {
		return "", errors.New("asking the metadata service: no meta.cloudscale_uuid: this is no server of cloudscale.ch")
	}
	uuid, err := httpapi.ParseUUID(metadata.Meta.UUID)
	if err != nil {
		return "", fmt.Errorf("asking the metadata service: meta.cloudscale_uuid: %w", err)
	}
	return uuid, nil
}

// Describe asks the API for a server: its name, and what the API's clock said, also with most errors.
func (p *Provider) Describe(ctx context.Context, server string) (name string, clock time.Time, err error) {
	ctx, answer := httpapi.Capture(ctx)
	found, err := p.api.Servers.Get(ctx, server)
	if err == nil && found.UUID == "" {
		err = errors.New("it is no server")
	}
	if err := answer.Err(err); err != nil {
		return "", answer.Date(), fmt.Errorf("asking for the server: %w", err)
	}
	return found.Name, answer.Date(), nil
}
