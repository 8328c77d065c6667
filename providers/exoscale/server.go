package exoscale

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
	"floaty/providers/httpapi"
)

// zoneName is what a zone may look like: it becomes a part of a host's name, to which the credential goes.
var zoneName = regexp.MustCompile(`^[a-z]{2}-[a-z]+-[0-9]+$`)

// Server returns the ID of the instance that this process runs on.
func (p *Provider) Server(ctx context.Context) (string, error) {
	if p.opts.Instance != "" {
		return p.opts.Instance, nil
	}
	text, err := p.metadata(ctx, "instance-id")
	if err != nil {
		return "", err
	}
	id, err := httpapi.ParseUUID(text)
	if err != nil {
		return "", fmt.Errorf("asking the metadata service: instance-id: %w", err)
	}
	return id, nil
}

// Describe asks the API for an instance: its name, and what the API's clock said, also with most errors.
func (p *Provider) Describe(ctx context.Context, server string) (name string, clock time.Time, err error) {
	api, err := p.connect(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	ctx, answer := httpapi.Capture(ctx)
	found, err := api.GetInstance(ctx, v3.UUID(server))
	if err == nil && found.ID == "" {
		err = errors.New("it is no instance")
	}
	if err := answer.Err(err); err != nil {
		return "", answer.Date(), fmt.Errorf("asking for the instance: %w", err)
	}
	return found.Name, answer.Date(), nil
}

// noOperation is an ID that no operation has.
const noOperation = "00000000-0000-4000-8000-000000000000"

// CheckRights asks whether the API key may use get-operation, the one right that Assign needs and no reading shows: it asks
// for an operation that cannot exist, which must be answered with 404. It wraps providers.ErrRefused where the key's role
// forbids it. Assign then needs longer, for it must wait for a reading to show what it has done.
func (p *Provider) CheckRights(ctx context.Context) error {
	api, err := p.connect(ctx)
	if err != nil {
		return err
	}
	_, err = p.operation(ctx, api, noOperation)
	switch {
	case err == nil, errors.Is(err, providers.ErrNotFound):
		return nil
	case errors.Is(err, providers.ErrRefused):
		return fmt.Errorf("get-operation is missing in the role of the API key: %w", err)
	}
	return err
}

// findZone returns the zone of this instance. Once found it is kept.
func (p *Provider) findZone(ctx context.Context) (string, error) {
	if p.opts.Zone != "" {
		return p.opts.Zone, nil
	}
	p.mu.Lock()
	zone := p.zone
	p.mu.Unlock()
	if zone != "" {
		return zone, nil
	}
	zone, err := p.metadata(ctx, "availability-zone")
	if err != nil {
		return "", err
	}
	if !zoneName.MatchString(zone) {
		return "", fmt.Errorf("asking the metadata service: availability-zone: %.50q is no zone, such as ch-gva-2", zone)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.zone = zone
	return zone, nil
}

func (p *Provider) metadata(ctx context.Context, name string) (string, error) {
	body, err := httpapi.Metadata(ctx, strings.TrimSuffix(p.opts.MetadataURL, "/")+"/"+name)
	if err != nil {
		return "", fmt.Errorf("%w; a private instance has no metadata service: set exoscale.instance-id and exoscale.zone", err)
	}
	return strings.TrimSpace(string(body)), nil
}
