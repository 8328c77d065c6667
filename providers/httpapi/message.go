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

// message returns what an answer's body says, in one line without token: the values of JSON, the title of an HTML page or
// its text, or the text as it is.
func message(body []byte, token string) string {
	text := strings.TrimSpace(string(body))
	var value any
	switch {
	case json.Unmarshal(body, &value) == nil:
		text = flat(value)
	case strings.HasPrefix(text, "<"):
		text = page(redact(text, token))
	}
	return tidy(text, token, maxMessage)
}

// redirected names where an answer points.
func redirected(location, token string) string {
	u, err := url.Parse(location)
	if location == "" || err != nil {
		return "a redirect to nowhere"
	}
	where := u.Path // decoded, and without a query, which may hold secrets
	if u.Host != "" {
		where = u.Scheme + "://" + u.Host + where
	}
	return "a redirect to " + tidy(where, token, maxMessage) + ", which is not followed"
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

// tidy returns text as one line of at most limit bytes, without control characters and without token.
func tidy(text, token string, limit int) string {
	text = redact(text, token)
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	text = redact(strings.Join(strings.Fields(text), " "), token)
	if len(text) <= limit {
		return text
	}
	cut := limit
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

func redact(text, token string) string {
	if token == "" {
		return text
	}
	return strings.ReplaceAll(text, token, "[credential]")
}
