package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage is the length of what is kept of a server's message, in bytes.
const maxMessage = 300

// message returns what an answer's body says, in one line without secrets: the values of JSON, the title of an HTML page or
// its text, or the text as it is.
func message(body []byte, hide secrets) string {
	text := strings.TrimSpace(string(body))
	var value any
	switch {
	case json.Unmarshal(body, &value) == nil:
		text = flat(value)
	case strings.HasPrefix(text, "<"):
		text = page(hide.redact(text))
	}
	return tidy(text, hide, maxMessage)
}

// redirected names where an answer points.
func redirected(location string, hide secrets) string {
	u, err := url.Parse(location)
	if location == "" || err != nil {
		return "a redirect to nowhere"
	}
	where := u.Path // decoded, and without a query, which may hold secrets
	if u.Host != "" {
		where = u.Scheme + "://" + u.Host + where
	}
	return "a redirect to " + tidy(where, hide, maxMessage) + ", which is not followed"
}

// flat returns the values within a JSON value: "server: Object does not exist".
func flat(value any) string {
	var parts []string
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, key+": "+flat(value[key]))
		}
	case []any:
		for _, v := range value {
			parts = append(parts, flat(v))
		}
	case nil:
		return "null"
	default:
		return fmt.Sprint(value)
	}
	return strings.Join(parts, ", ")
}

// page returns the title of an HTML page; its text if it has none.
func page(text string) string {
	lower := bytes.ToLower([]byte(text))
	_, after, ok := bytes.Cut(lower, []byte("<title"))
	if end := bytes.Index(after, []byte("</title")); ok && end >= 0 && len(lower) == len(text) {
		start := len(lower) - len(after)
		return html.UnescapeString(untagged("<" + text[start:start+end]))
	}
	return html.UnescapeString(untagged(text))
}

// untagged returns text with a blank for each tag.
func untagged(text string) string {
	var b strings.Builder
	for {
		before, rest, tag := strings.Cut(text, "<")
		b.WriteString(before)
		if !tag {
			return b.String()
		}
		_, after, closed := strings.Cut(rest, ">")
		if !closed {
			return b.String()
		}
		b.WriteByte(' ')
		text = after
	}
}

// tidy returns text as one line of at most limit bytes, without control characters and without secrets.
func tidy(text string, hide secrets, limit int) string {
	text = hide.redact(text)
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	text = hide.redact(strings.Join(strings.Fields(text), " "))
	if len(text) <= limit {
		return text
	}
	cut := limit
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// secrets are what must be in no message.
type secrets []string

func (s secrets) redact(text string) string {
	for _, secret := range s {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[credential]")
		}
	}
	return text
}

// longest returns the length of the longest secret, in bytes.
func (s secrets) longest() int {
	n := 0
	for _, secret := range s {
		n = max(n, len(secret))
	}
	return n
}
