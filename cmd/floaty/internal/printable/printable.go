// Package printable keeps hostile names from forging lines or controlling the terminal that shows them.
//
// Names come from the cloud's API, from keepalived.conf and from events. Characters that are not printable are
// replaced by their code: control characters, including the C1 range, which some terminals obey, marks that reverse
// the direction of text, and line separators. The package knows nothing about reports and logs: it takes text and
// returns text.
package printable

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns text for use within a line: unchanged if it is printable, otherwise quoted as in Go, with "\x1b" for
// escape.
func Text(text string) string {
	if strings.IndexFunc(text, unprintable) < 0 && utf8.ValidString(text) {
		return text
	}
	return strconv.Quote(text)
}

// Texts returns the result of [Text] for each of texts.
func Texts(texts []string) []string {
	safe := make([]string, 0, len(texts))
	for _, text := range texts {
		safe = append(safe, Text(text))
	}
	return safe
}

// Encoded returns encoded JSON or log lines with \uXXXX for every character that is not printable, except line feed
// and tab. If there is none, it returns lines itself.
func Encoded(lines []byte) []byte {
	if !bytes.ContainsFunc(lines, mustEscape) && utf8.Valid(lines) {
		return lines
	}
	safe := make([]byte, 0, len(lines)+64)
	for _, r := range string(lines) { // each invalid byte becomes utf8.RuneError
		switch {
		case !mustEscape(r):
			safe = utf8.AppendRune(safe, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
	}
	return safe
}

// mustEscape reports whether r must be replaced in encoded lines.
func mustEscape(r rune) bool { return unprintable(r) && r != '\n' && r != '\t' }

// unprintable reports whether r is not printable.
func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
