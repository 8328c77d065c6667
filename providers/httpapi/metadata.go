package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Metadata returns what the metadata service answers at address, a URL. It uses no proxy, which would tell about another
// server, and leaves no connection behind.
func Metadata(ctx context.Context, address string) ([]byte, error) {
	ctx, answer := Capture(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking the metadata service: %w", err)
	}
	base := transport(nil)
	base.DisableKeepAlives = true
	resp, err := client(&keeper{base: base}).Do(req)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was only read
	}
	if err := answer.Err(err); err != nil {
		return nil, fmt.Errorf("asking the metadata service: %w", err)
	}
	return text, nil
}

// ParseUUID returns text as a UUID in its usual form: lower case, digits in groups of 8, 4, 4, 4 and 12.
func ParseUUID(text string) (string, error) {
	uuid := strings.ToLower(strings.TrimSpace(text))
	if len(uuid) != 36 {
		return "", errors.New("parsing a UUID: it is not 36 characters long")
	}
	for i, r := range []byte(uuid) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(r)) {
			return "", fmt.Errorf("parsing a UUID: %q is not one", uuid)
		}
	}
	return uuid, nil
}
