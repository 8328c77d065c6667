package exoscale

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v3 "github.com/exoscale/egoscale/v3"

	"floaty/providers"
	"floaty/providers/grammar"
	"floaty/providers/httpapi"
)

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

// Describe returns the name of an instance, and the time of the API's clock. Most errors come with the time, too.
func (p *Provider) Describe(ctx context.Context, server string) (name string, clock time.Time, err error) {
	api, err := p.connect(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	ctx, answer := httpapi.Capture(ctx)
	found, err := api.GetInstance(ctx, v3.UUID(server))
	if err == nil && found.ID == "" {
		err = errors.New("unusable response (want an instance)")
	}
	if err := credentialRefused(answer.Status(), answer.Err(err)); err != nil {
		return "", answer.Date(), fmt.Errorf("reading the instance: %w", err)
	}
	return found.Name, answer.Date(), nil
}

// noOperation is an ID that no operation has.
const noOperation = "00000000-0000-4000-8000-000000000000"

// CheckRights checks whether the API key may use get-operation, the one right that Assign uses and no reading needs. It queries an
// operation that cannot exist, for which the API must answer 404. The error wraps providers.ErrRefused if the key's role forbids the
// call. Assign works without the right, but takes longer, because a reading must prove each change.
func (p *Provider) CheckRights(ctx context.Context) (right string, err error) {
	right = "get-operation"
	api, err := p.connect(ctx)
	if err != nil {
		return right, err
	}
	_, err = p.operation(ctx, api, noOperation)
	switch {
	case err == nil, errors.Is(err, providers.ErrNotFound):
		return right, nil
	case errors.Is(err, providers.ErrRefused):
		return right, fmt.Errorf("%s is missing in the role of the API key: %w", right, err)
	}
	return right, err
}

// SignatureLifetime returns how long the API accepts a signature, according to its documentation.
func (p *Provider) SignatureLifetime() time.Duration { return 10 * time.Minute }

// findZone returns the zone of this instance, and keeps it once it is known. Unless ctx has ended, its error wraps nothing: a refusal by
// the metadata service says nothing about the address or the credential of the call that needs the zone.
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
	switch {
	case err != nil && ctx.Err() != nil:
		return "", err
	case err != nil:
		return "", errors.New(err.Error())
	}
	if !grammar.Zone(zone) {
		return "", fmt.Errorf("asking the metadata service: availability-zone: %.50q is not a zone name such as ch-gva-2", zone)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.zone = zone
	return zone, nil
}

func (p *Provider) metadata(ctx context.Context, name string) (string, error) {
	body, err := httpapi.Metadata(ctx, strings.TrimSuffix(p.opts.MetadataURL, "/")+"/"+name)
	if err != nil {
		return "", fmt.Errorf("%w; private instances have no metadata service: set exoscale.instance-id and exoscale.zone", err)
	}
	return strings.TrimSpace(string(body)), nil
}
