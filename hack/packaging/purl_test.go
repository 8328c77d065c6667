package main

import "testing"

func TestPackageURLsHaveTheFormatThatScannersKnow(t *testing.T) {
	for _, c := range []struct {
		part part
		want string
	}{
		{part{path: "std", version: "go1.26.8"}, "pkg:golang/stdlib@1.26.8"},
		{part{path: "example.com/a/v2", version: "v2.0.1"}, "pkg:golang/example.com/a/v2@v2.0.1"},
		{part{path: "example.com/b", version: "v3.0.0+incompatible"}, "pkg:golang/example.com/b@v3.0.0%2Bincompatible"},
	} {
		if got := c.part.purl(); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.part.path, c.part.version, got, c.want)
		}
	}
}
