package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Metadata fetches address, a URL of the metadata service. It uses no proxy, because a proxy's metadata would describe another
// server, and keeps no connection open.
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
	if err := answer.Err(err); err != nil {
		return nil, fmt.Errorf("asking the metadata service: %w", err)
	}
	return text, nil
}

// ParseUUID parses a UUID: hexadecimal digits in groups of 8, 4, 4, 4 and 12. The result is in lower case.
func ParseUUID(text string) (string, error) {
	uuid := strings.ToLower(strings.TrimSpace(text))
	if len(uuid) != 36 {
		return "", errors.New("parsing a UUID: want 36 characters")
	}
	for i, r := range []byte(uuid) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(r)) {
			return "", fmt.Errorf("parsing a UUID: %q is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", uuid)
		}
	}
	return uuid, nil
}
