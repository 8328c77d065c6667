package grammar

import (
	"strings"
	"testing"
)

func TestUUIDs(t *testing.T) {
	const uuid = "47cec963-fcd2-482f-bdb6-24461b2d47b1"
	for text, want := range map[string]string{
		uuid:                      uuid,
		strings.ToUpper(uuid):     uuid,
		" " + uuid:                "",
		uuid + "\n":               "",
		"":                        "",
		uuid[1:]:                  "",
		"{" + uuid[1:]:            "",
		uuid[:35] + "g":           "",
		uuid[:8] + "0" + uuid[9:]: "",
		"-" + uuid[1:]:            "",
		uuid[:34] + "é":           "",
	} {
		if got, ok := UUID(text); got != want || ok != (want != "") {
			t.Errorf("UUID(%q): got %q, %v, want %q", text, got, ok, want)
		}
	}
}

func TestAZoneStaysWithinOneLabelOfAHostName(t *testing.T) {
	for name, want := range map[string]bool{
		"ch-gva-2": true, "de-muc-1": true, "zone1": true, strings.Repeat("a", 63): true,
		"": false, "ch-gva-2.": false, "a b": false, "CH-GVA-2": false, "-ch": false, "ch-": false, "ch--gva": false,
		"ch-gva-2\n": false, "evil.example.com/": false, "ch@evil": false, strings.Repeat("a", 64): false,
	} {
		if got := Zone(name); got != want {
			t.Errorf("Zone(%q): got %v, want %v", name, got, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	const secret = "hush-hush"
	for text, want := range map[string]string{ // the URL, or a part of the error
		"https://api.example.com":          "https://api.example.com",
		"http://[::1]:8080/base":           "http://[::1]:8080/base",
		"https://user:" + secret + "@host": "must not contain @",
		"https://host/?token=" + secret:    "must not contain a query",
		"https://host/#" + secret:          "must not contain a query",
		"https://host/?":                   "must not contain a query",
		"https://" + secret + "\x00":       "is not the URL of an API",
		"https://host name/":               "is not the URL of an API",
		"https://host:99999/":              "is not the URL of an API",
		"ftp://host/":                      "is not the URL of an API",
		"https:///v1":                      "is not the URL of an API",
		"https://:443/":                    "is not the URL of an API",
		"api.example.com":                  "is not the URL of an API",
		"":                                 "is not the URL of an API",
	} {
		u, err := Endpoint(text)
		switch {
		case err == nil && u.String() != want:
			t.Errorf("Endpoint(%q): got %q, want %q", text, u, want)
		case err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret)):
			t.Errorf("Endpoint(%q): got error %q, want %q and no secret", text, err, want)
		}
	}
}

func TestLoopbackHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "sim.localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "notlocalhost": false, "0.0.0.0": false, "192.0.2.1": false, "2001:db8::1": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q): got %v, want %v", host, got, want)
		}
	}
}
