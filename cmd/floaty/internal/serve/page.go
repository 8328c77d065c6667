package serve

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
)

// pageHTML is the page: one file with one style and one script, and nothing from elsewhere.
//
//go:embed page.html
var pageHTML string

// noContent is the Content-Security-Policy of everything except the page.
const noContent = "default-src 'none'; frame-ancestors 'none'"

// A page serves the page with a policy that allows only its own script and style, and requests to this server.
type page struct{ policy string }

func newPage() page {
	return page{"default-src 'none'; script-src " + hash("script") + "; style-src " + hash("style") +
		"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}

// hash returns the Content-Security-Policy source for the content of the page's only element of that name.
func hash(element string) string {
	_, content, _ := strings.Cut(pageHTML, "<"+element+">")
	content, _, _ = strings.Cut(content, "</"+element+">")
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// ServeHTTP implements [http.Handler].
func (p page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", p.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(pageHTML))
}
