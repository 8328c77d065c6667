package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"floaty/providers/grammar"
)

// Metadata fetches address, a URL of the metadata service. It uses no proxy, because a proxy's metadata would describe another
// server, and keeps no connection open. It ignores Retry-After, which would hold back the calls to the API.
func Metadata(ctx context.Context, address string) ([]byte, error) {
	ctx, answer := Capture(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking the metadata service: %w", err)
	}
	base := newTransport(nil)
	base.DisableKeepAlives = true
	resp, err := client(&transport{base: base}).Do(req)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was only read from
	}
	answer.retryAfter = 0
	if err := answer.Err(err); err != nil {
		return nil, fmt.Errorf("asking the metadata service: %w", err)
	}
	return text, nil
}

// ParseUUID parses a UUID, which may be surrounded by white space. The result is in lower case.
func ParseUUID(text string) (string, error) {
	uuid, ok := grammar.UUID(strings.TrimSpace(text))
	if !ok {
		return "", fmt.Errorf("parsing a UUID: %.50q is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", text)
	}
	return uuid, nil
}
