// Package printable keeps names that others have chosen from forging lines and driving the terminal that shows them.
//
// Names come from the cloud's API, from keepalived.conf and from events. What does not print is shown by its code: control
// characters, those of the C1 range too, which some terminals obey; marks that reverse the direction of text; separators of lines.
// The package knows nothing about reports and logs: it gets text and returns text.
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

// Text returns text as it may stand within a line: as it is if all of it prints, else quoted as Go does it, "\x1b" for escape.
func Text(text string) string {
	if strings.IndexFunc(text, hostile) < 0 && utf8.ValidString(text) {
		return text
	}
	return strconv.Quote(text)
}

// Texts returns each of texts as [Text] does.
func Texts(texts []string) []string {
	safe := make([]string, 0, len(texts))
	for _, text := range texts {
		safe = append(safe, Text(text))
	}
	return safe
}

// Encoded returns lines that an encoder of JSON or of log lines has written, with \uXXXX for what does not print. The blanks that give
// lines their form stay: line feed and tab. It returns lines itself where there is nothing to change.
func Encoded(lines []byte) []byte {
	if !bytes.ContainsFunc(lines, formless) && utf8.Valid(lines) {
		return lines
	}
	safe := make([]byte, 0, len(lines)+64)
	for _, r := range string(lines) { // of bytes that are no text, each is utf8.RuneError
		switch {
		case !formless(r):
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

// formless reports whether r is hostile and gives a line no form either.
func formless(r rune) bool { return hostile(r) && r != '\n' && r != '\t' }

// hostile reports whether r is shown as something else than itself, or moves what is around it.
func hostile(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
