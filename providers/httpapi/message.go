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

// maxMessage bounds a server's message in an error, in bytes.
const maxMessage = 300

// message turns an answer's body into one line without secrets: the values of JSON, the title or the text of an HTML page, or the
// text as it is.
func message(body []byte, hidden secrets) string {
	text := strings.TrimSpace(string(body))
	var value any
	switch {
	case json.Unmarshal(body, &value) == nil:
		text = flatten(value)
	case strings.HasPrefix(text, "<"):
		text = page(hidden.redact(text))
	}
	return oneLine(text, hidden, maxMessage)
}

// redirected describes the target of a redirect.
func redirected(location string, hidden secrets) string {
	u, err := url.Parse(location)
	if location == "" || err != nil {
		return "a redirect to nowhere"
	}
	where := u.Path // decoded, without the query, which may hold secrets
	if u.Host != "" {
		where = u.Scheme + "://" + u.Host + where
	}
	return "a redirect to " + oneLine(where, hidden, maxMessage) + ", which is not followed"
}

// flatten lists the values in a JSON value with their keys, such as "server: Object does not exist".
func flatten(value any) string {
	var parts []string
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, key+": "+flatten(value[key]))
		}
	case []any:
		for _, v := range value {
			parts = append(parts, flatten(v))
		}
	case nil:
		return "null"
	default:
		return fmt.Sprint(value)
	}
	return strings.Join(parts, ", ")
}

// page returns the title of an HTML page, or its text if it has none.
func page(text string) string {
	lower := bytes.ToLower([]byte(text))
	_, after, ok := bytes.Cut(lower, []byte("<title"))
	if end := bytes.Index(after, []byte("</title")); ok && end >= 0 && len(lower) == len(text) {
		start := len(lower) - len(after)
		return html.UnescapeString(untagged("<" + text[start:start+end]))
	}
	return html.UnescapeString(untagged(text))
}

// untagged replaces each tag in text with a space.
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

// oneLine returns text as one line of about limit bytes at most, without control characters and secrets.
func oneLine(text string, hidden secrets, limit int) string {
	text = hidden.redact(text)
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	text = hidden.redact(strings.Join(strings.Fields(text), " "))
	if len(text) <= limit {
		return text
	}
	cut := limit
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// secrets are texts that must not appear in a message.
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
