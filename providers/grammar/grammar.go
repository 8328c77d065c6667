// Package grammar checks values that several packages get from outside: UUIDs, zones, hosts, ports and URLs of APIs. They are checked
// here, so that no value is valid in one place and not in the other. It contacts nobody, so it cannot tell whether what a value names exists.
package grammar

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// UUID returns a UUID in lower case, as the clouds write it: hexadecimal digits in groups of 8, 4, 4, 4 and 12. ok is false if text
// is not a UUID.
func UUID(text string) (lower string, ok bool) {
	lower = strings.ToLower(text)
	groups := strings.Split(lower, "-")
	if len(groups) != 5 {
		return "", false
	}
	for i, size := range []int{8, 4, 4, 4, 12} {
		if len(groups[i]) != size || strings.ContainsFunc(groups[i], func(r rune) bool { return !isDigit(r) && (r < 'a' || r > 'f') }) {
			return "", false
		}
	}
	return lower, true
}

// Zone reports whether name can be a zone of Exoscale, such as ch-gva-2. A zone becomes part of the host name that receives the
// credential, so it may contain only lower-case letters, digits and single hyphens between them, at most 63 characters.
func Zone(name string) bool {
	for part := range strings.SplitSeq(name, "-") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return !isDigit(r) && !isLower(r) }) {
			return false
		}
	}
	return len(name) <= 63
}

// Endpoint parses the URL of an API: http or https, a host, and at most a port and a path. Errors never contain text, because a password
// may be in it. If the error is [ErrForm], text contains none of the characters that introduce one: "@", "?" and "#".
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
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !isDigit(r) && !isLower(r) && (r < 'A' || r > 'Z') && !strings.ContainsRune("-_.", r)
	})
}

// IsLoopback reports whether host is a loopback address, or a name that always stands for one: localhost and those below it (RFC 6761). A
// dot at its end does not count.
func IsLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Port reports whether text is empty or a number from 1 to 65535.
func Port(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isLower(r rune) bool { return 'a' <= r && r <= 'z' }
