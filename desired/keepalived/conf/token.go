package conf

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a statement, or a brace.
type token struct {
	kind   kind
	words  []string // of a statement, at least one
	piece  piece    // where it is
	hidden string   // an invisible character in it, about which a warning was given
}

type kind int

const (
	end kind = iota // the end of all files
	statement
	opening
	closing
)

func (t token) problem(format string, args ...any) Problem {
	return t.piece.problem(fmt.Sprintf(format, args...))
}

// stripComment returns a line without its comment.
func stripComment(line string) (string, error) {
	quoted := false
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case quoted, c != '#' && c != '!':
		case i > 0 && line[i-1] == '\\':
			// Keepalived 2.2.7 removes the backslash, and later takes what follows as a comment (seen).
			return "", fmt.Errorf(`\%c outside quotes is not supported: put the word in quotes`, c)
		default:
			return line[:i], nil
		}
	}
	if quoted && strings.ContainsAny(line[strings.LastIndexByte(line, '"'):], "{}") {
		return "", errors.New("a quote that is not closed on its line hides a brace")
	}
	return line, nil
}

// unclosedQuote reports whether a quote in text is not closed. Keepalived then ignores the word, or the statement.
func unclosedQuote(text string) bool { return strings.Count(text, `"`)%2 == 1 }

// split returns the first token of a piece and puts back the rest.
func (r *reader) split(p piece) (token, error) {
	at := indexBrace(p.text)
	switch {
	case at == 0:
		kind := opening
		if p.text[0] == '}' {
			kind = closing
		}
		r.putBackRest(p, p.text[1:])
		return token{kind: kind, piece: p}, nil
	case at > 0:
		r.putBackRest(p, p.text[at:])
		p.text = p.text[:at]
	}
	words := words(p.text)
	hidden := invisible(p.text)
	if hidden != "" {
		r.warn(p, fmt.Sprintf("the invisible character %s is not a blank to Keepalived, which takes it as part of %+q", hidden, firstWith(words, hidden)))
	}
	if unclosedQuote(p.text) {
		r.warn(p, words[0]+": a quote that is not closed on its line: Keepalived ignores it")
	}
	if strings.Contains(words[0], "$") { // it may be meant to begin a block
		return token{}, p.problem(fmt.Sprintf("%s is not defined", words[0]))
	}
	return token{kind: statement, words: words, piece: p, hidden: hidden}, nil
}

// firstWith returns the first word that contains an invisible character.
func firstWith(words []string, hidden string) string {
	for _, word := range words {
		if invisible(word) == hidden {
			return word
		}
	}
	return words[0]
}

// putBackRest puts back what follows a token. Keepalived reads it like a line of its own.
func (r *reader) putBackRest(p piece, text string) {
	if text = trim(text); text != "" {
		p = p.with(text)
		p.met, p.expanded = false, false
		r.putBack(p)
	}
}

// indexBrace returns the index of the first brace outside quotes, or -1.
func indexBrace(text string) int {
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

// words splits a text into words. Quotes keep a word together and are removed. A word also ends before a quote.
func words(text string) []string {
	var list []string
	for text = trim(text); text != ""; text = trim(text) {
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

// cutWord returns the first word of text, and the rest.
func cutWord(text string) (word, rest string) {
	n := strings.IndexFunc(text, isBlank)
	if n < 0 {
		return text, ""
	}
	return text[:n], trim(text[n:])
}

// isBlank reports whether c is a blank, as isspace(3) does.
func isBlank(c rune) bool { return c < unicode.MaxASCII && unicode.IsSpace(c) }

// trim removes the blanks around a text.
func trim(text string) string { return strings.TrimFunc(text, isBlank) }

// invisible returns the code of the first character outside quotes that looks like a blank, or like nothing, but is not a blank to
// Keepalived. Such characters come from web pages. It returns an empty string if there is none.
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
