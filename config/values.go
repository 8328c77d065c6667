package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"floaty/providers/grammar"
)

// The converters: each takes a value as the YAML library returns it. Their errors tell what is wrong and what would be
// right. Those of text and credential never contain the value, because it may be a secret.

// typeName describes the type that YAML has given to value.
func typeName(value any) string {
	switch value.(type) {
	case nil:
		return "nothing"
	case bool:
		return "true or false (as are yes, no, on, off)"
	case string:
		return "text"
	case []any:
		return "a list"
	case mapping:
		return "a list of keys and values"
	}
	return "a number"
}

// maxTextBytes bounds a text; the kernel has the same bound for a path. A YAML alias can repeat a long text many
// times.
const maxTextBytes = 4096

// text is the converter of a text that must not be empty.
func text(value any) (string, error) {
	s, ok := value.(string)
	switch {
	case len(s) > maxTextBytes:
		return "", fmt.Errorf("longer than %d bytes", maxTextBytes)
	case ok && s != "":
		return s, nil
	case ok:
		return "", errors.New("empty: give a value or remove the key")
	}
	switch value.(type) {
	case nil:
		return "", errors.New("no value: give one or remove it")
	case []any, mapping:
		return "", fmt.Errorf("%s: want a single value", typeName(value))
	}
	return "", fmt.Errorf("YAML reads it as %s: put it in quotes", typeName(value))
}

// credential is the converter of a secret. It trims white space around the secret, which editors add.
func credential(value any) (Secret, error) {
	s, err := text(value)
	if err != nil {
		return Secret{}, err
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return Secret{}, errors.New("empty: give the credential")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Secret{}, errors.New("not a credential: it contains a line break, a space or a character outside ASCII")
	}
	return NewSecret(s), nil
}

// configID is the converter of Keepalived's config id, which ends at white space.
func configID(value any) (string, error) {
	id, err := text(value)
	if err == nil && (strings.ContainsFunc(id, unicode.IsSpace) || strings.ContainsFunc(id, unicode.IsControl)) {
		err = fmt.Errorf("%s is not a config id: it contains a space or a control character", quote(id))
	}
	return id, err
}

// The bounds of every duration: with a shorter one the 10 % of jitter would vanish, with longer ones sums could overflow.
const (
	minDuration = time.Millisecond
	maxDuration = 8760 * time.Hour // a year
)

// interval is the converter of a duration that must not be zero.
func interval(value any) (time.Duration, error) {
	d, err := duration(value)
	if err == nil && (d < minDuration || d > maxDuration) {
		return 0, fmt.Errorf("%v is out of range: must be between 1ms and 8760h", d)
	}
	return d, err
}

// optionalDuration is the converter of a duration that may be zero, which means no limit.
func optionalDuration(value any) (time.Duration, error) {
	d, err := duration(value)
	if err == nil && d != 0 && (d < minDuration || d > maxDuration) {
		return 0, fmt.Errorf("%v is out of range: must be 0, or between 1ms and 8760h", d)
	}
	return d, err
}

func duration(value any) (time.Duration, error) {
	switch n := value.(type) {
	case string:
		d, err := time.ParseDuration(n)
		if err != nil {
			return 0, fmt.Errorf("%s is not a duration: want something like 500ms, 10s or 1m30s", quote(n))
		}
		return d, nil
	case int, float64:
		if n == 0 {
			return 0, nil
		}
		return 0, fmt.Errorf("%v has no unit: want a duration such as 500ms, 10s or 1m30s", n)
	}
	return 0, fmt.Errorf("%s: want a duration such as 500ms, 10s or 1m30s", typeName(value))
}

// multiplier is the converter of a factor of at least 1.
func multiplier(value any) (float64, error) {
	var f float64
	switch n := value.(type) {
	case int:
		f = float64(n)
	case float64:
		f = n
	case string:
		return 0, fmt.Errorf("%s is not a number: want 1 or more, without quotes", quote(n))
	default:
		return 0, fmt.Errorf("%s: want a number, 1 or more", typeName(value))
	}
	if !(f >= 1) || math.IsInf(f, 0) { // the first is true of NaN
		return 0, fmt.Errorf("%v is out of range: must be 1 or more", f)
	}
	return f, nil
}

// requests is the converter of max-concurrent-requests.
func requests(value any) (int, error) {
	switch n := value.(type) {
	case int:
		if n >= 1 && n <= 10000 {
			return n, nil
		}
		return 0, fmt.Errorf("%d is out of range: must be between 1 and 10000", n)
	case string:
		return 0, fmt.Errorf("%s is not a number: want 1 to 10000, without quotes", quote(n))
	case float64, int64, uint64:
		return 0, fmt.Errorf("%v is out of range: must be a whole number between 1 and 10000", n)
	}
	return 0, fmt.Errorf("%s: want a whole number, 1 to 10000", typeName(value))
}

// boolean is the converter of true and false.
func boolean(value any) (bool, error) {
	b, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("%s: want true or false, without quotes", typeName(value))
	}
	return b, nil
}

// file is the converter of a path. A relative path is resolved against the directory of the configuration file.
func (c *Config) file(value any) (string, error) {
	path, err := text(value)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return "", fmt.Errorf("%s is not a path: it contains a line break or another control character", quote(path))
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(c.Path), path)
	}
	return filepath.Clean(path), nil
}

// lockFile is the converter of lock-file-template, a path with a placeholder for the instance.
func (c *Config) lockFile(value any) (string, error) {
	s, err := text(value)
	if err != nil {
		return "", err
	}
	if strings.Count(s, "%") != 1 || !strings.Contains(s, "%s") {
		return "", fmt.Errorf("%s must contain exactly one %%s, which stands for the instance name, and no other %%", quote(s))
	}
	return c.file(s)
}

// address is the converter of an address that can float. A prefix length is allowed and ignored.
func address(value any) (netip.Addr, error) {
	if _, isMapping := value.(mapping); isMapping { // - 2001:db8:: is the key "2001:db8:" without a value
		return netip.Addr{}, errors.New("YAML reads it as keys and values: put an address that ends in a colon in quotes")
	}
	s, err := text(value)
	if err != nil {
		return netip.Addr{}, err
	}
	addr, err := netip.ParseAddr(s)
	if strings.Contains(s, "/") {
		var prefix netip.Prefix
		prefix, err = netip.ParsePrefix(s)
		addr = prefix.Addr()
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s is not an address: want something like 192.0.2.7, 192.0.2.7/24 or 2001:db8::7", quote(s))
	}
	if reason := notRoutable(addr.Unmap()); reason != "" {
		return netip.Addr{}, fmt.Errorf("%s %s: want one that the cloud can route to a server", quote(s), reason)
	}
	return addr.Unmap(), nil
}

// notRoutable tells why a cloud cannot route addr to a server; empty: it can.
func notRoutable(addr netip.Addr) string {
	switch {
	case addr.Zone() != "":
		return "has a zone, so it is valid on one link only"
	case addr.IsUnspecified():
		return "is the unspecified address"
	case addr.IsLoopback():
		return "is a loopback address"
	case addr.IsMulticast():
		return "is a multicast address"
	case addr.IsLinkLocalUnicast():
		return "is a link-local address"
	case addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "is the broadcast address"
	}
	return ""
}

// uuid is the converter of a server's ID. It is converted to lower case, as in the clouds' answers.
func uuid(value any) (string, error) {
	s, err := text(value)
	if err != nil {
		return "", err
	}
	if lower, ok := grammar.UUID(s); ok {
		return lower, nil
	}
	return "", fmt.Errorf("%s is not a UUID: want something like 47cec963-fcd2-482f-bdb6-24461b2d47b1", quote(s))
}

// endpoint is the converter of the URL of an API.
func endpoint(value any) (string, error) {
	s, err := text(value)
	if err != nil {
		return "", err
	}
	u, err := grammar.Endpoint(s)
	if errors.Is(err, grammar.ErrForm) { // only then is it sure to hold no password
		return "", fmt.Errorf("%s %w", quote(s), err)
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// inDomain reports whether the host of u is in domain.
func inDomain(u *url.URL, domain string) bool {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// listenAddress is the converter of listen-address.
func listenAddress(value any) (string, error) {
	if n, isNumber := value.(int); isNumber {
		return "", fmt.Errorf(`%d has no host: want HOST:PORT or :PORT, such as "127.0.0.1:9753"`, n)
	}
	s, err := text(value)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" || !grammar.Port(port) || host != "" && !grammar.Host(host) {
		return "", fmt.Errorf(`%s is not an address to listen on: want HOST:PORT or :PORT, such as "127.0.0.1:9753"`, quote(s))
	}
	return s, nil
}
