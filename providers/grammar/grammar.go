// Package grammar checks values that both a configuration and a cloud may provide: UUIDs, zones and URLs of APIs. Both are checked
// here, so that no value is valid in one place and not in the other. It contacts nobody and does not know which clouds exist.
package grammar

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var (
	uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	zone = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	host = regexp.MustCompile(`^[-_.0-9A-Za-z]+$`)
)

// UUID returns a UUID in lower case, as the clouds write it: hexadecimal digits in groups of 8, 4, 4, 4 and 12. ok is false if text
// is not a UUID.
func UUID(text string) (lower string, ok bool) {
	lower = strings.ToLower(text)
	if !uuid.MatchString(lower) {
		return "", false
	}
	return lower, true
}

// Zone reports whether name can be a zone of Exoscale, such as ch-gva-2. A zone becomes part of the host name that receives the
// credential, so it may contain only lower-case letters, digits and single hyphens between them, at most 63 characters.
func Zone(name string) bool { return len(name) <= 63 && zone.MatchString(name) }

// Endpoint parses the URL of an API: http or https, a host, and at most a port and a path. Errors never contain text, because a
// password may be in it. If they are [ErrForm], text contains none of the characters that introduce one: "@", "?" and "#".
func Endpoint(text string) (*url.URL, error) {
	switch {
	case strings.Contains(text, "@"):
		return nil, errors.New("must not contain @, because credentials do not belong in a URL: want something like https://api.example.com")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("must not contain a query (?) or a fragment (#): want something like https://api.example.com")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !Host(u.Hostname()) || !Port(u.Port()) {
		return nil, ErrForm
	}
	return u, nil
}

// ErrForm is the error of [Endpoint] for a text that is not a URL, or not one of the allowed form.
var ErrForm = errors.New("is not the URL of an API: want http or https, a host, and at most a port and a path, such as https://api.example.com")

// Host reports whether name is an IP address or may be a host name: letters, digits, dots, hyphens and underscores.
func Host(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || host.MatchString(name)
}

// Port reports whether text is empty or a number from 1 to 65535.
func Port(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}
