package conf

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a statement, or one of the braces around a block.
type token struct {
	kind   kind
	words  []string // of a statement, at least one
	piece  piece    // where it is
	hidden string   // an invisible character in it, which was warned of
}

type kind int

const (
	end kind = iota // of all files
	statement
	opening
	closing
)

func (t token) problem(format string, args ...any) Problem {
	return t.piece.problem(fmt.Sprintf(format, args...))
}

// uncommented returns a line without its comment.
func uncommented(line string) (string, error) {
	quoted := false
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case quoted, c != '#' && c != '!':
		case i > 0 && line[i-1] == '\\':
			// 2.2.7 takes the backslash away and then, further on, what follows for a comment (seen).
			return "", fmt.Errorf(`\%c outside quotes is not supported: put the word in quotes`, c)
		default:
			return line[:i], nil
		}
	}
	if quoted && strings.ContainsAny(line[strings.LastIndexByte(line, '"'):], "{}") {
		return "", errors.New("a quote that does not end on its line hides a brace")
	}
	return line, nil
}

// open reports whether a quote in text does not end: Keepalived then leaves out the word, or the statement.
func open(text string) bool { return strings.Count(text, `"`)%2 == 1 }

// split returns the first token of a piece and puts back what follows it.
func (r *reader) split(p piece) (token, error) {
	at := brace(p.text)
	switch {
	case at == 0:
		kind := opening
		if p.text[0] == '}' {
			kind = closing
		}
		r.rest(p, p.text[1:])
		return token{kind: kind, piece: p}, nil
	case at > 0:
		r.rest(p, p.text[at:])
		p.text = p.text[:at]
	}
	words := words(p.text)
	hidden := invisible(p.text)
	if hidden != "" {
		r.warn(p, fmt.Sprintf("the invisible character %s is no blank: Keepalived takes it for a part of %+q", hidden, firstWith(words, hidden)))
	}
	if open(p.text) {
		r.warn(p, words[0]+": a quote that does not end on its line: Keepalived leaves it out")
	}
	if strings.Contains(words[0], "$") { // it may stand for a whole block
		return token{}, p.problem(fmt.Sprintf("definition %s is not known", words[0]))
	}
	return token{kind: statement, words: words, piece: p, hidden: hidden}, nil
}

// firstWith returns the first of some words that holds an invisible character.
func firstWith(words []string, hidden string) string {
	for _, word := range words {
		if invisible(word) == hidden {
			return word
		}
	}
	return words[0]
}

// rest puts back what follows a token: Keepalived reads it like a line.
func (r *reader) rest(p piece, text string) {
	if text = trimmed(text); text != "" {
		p = p.with(text)
		p.judged, p.made = false, false
		r.put(p)
	}
}

// brace returns where the first brace outside quotes is; -1 if there is none.
func brace(text string) int {
	quoted := false
	for i := range len(text) {
		switch text[i] {
		case '"':
			quoted = !quoted
		case '{', '}':
			if !quoted {
				return i
			}
		}
	}
	return -1
}

// words splits a text that is not blank. Quotes hold a word together and are taken off; a word also ends where one begins.
func words(text string) []string {
	var list []string
	for text = trimmed(text); text != ""; text = trimmed(text) {
		if text[0] == '"' {
			word, rest, _ := strings.Cut(text[1:], `"`)
			list, text = append(list, word), rest
			continue
		}
		n := strings.IndexFunc(text, func(c rune) bool { return c == '"' || isBlank(c) })
		if n < 0 {
			n = len(text)
		}
		list, text = append(list, text[:n]), text[n:]
	}
	return list
}

// cutBlank returns the first word of text and what follows it.
func cutBlank(text string) (word, rest string) {
	n := strings.IndexFunc(text, isBlank)
	if n < 0 {
		return text, ""
	}
	return text[:n], trimmed(text[n:])
}

// isBlank reports what C's isspace does.
func isBlank(c rune) bool { return c < unicode.MaxASCII && unicode.IsSpace(c) }

// trimmed is text without the blanks around it.
func trimmed(text string) string { return strings.TrimFunc(text, isBlank) }

// invisible names the first character outside quotes that looks like a blank, or like nothing, and is no blank to Keepalived:
// such are pasted from web pages. Empty: there is none.
func invisible(text string) string {
	quoted := false
	for _, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case !quoted && c > unicode.MaxASCII && (unicode.IsSpace(c) || unicode.In(c, unicode.Z, unicode.C)) && c != utf8.RuneError:
			return fmt.Sprintf("%U", c)
		}
	}
	return ""
}
