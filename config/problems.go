package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A Problem is one thing that makes a configuration unusable.
type Problem struct {
	File string
	Key  string // in full, such as cloudscale.token; empty: it is about the file
	Text string // one line; never a secret

	SecretFile string // that could not be used: a change of it may end the problem; empty: not about one
}

// Error returns the problem in one line: file, key, what is wrong and what would be right.
func (p Problem) Error() string {
	var parts []string
	for _, part := range []string{p.File, p.Key, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Problems are all that is wrong with a configuration, never none. It is the error that [Load] returns.
type Problems []Problem

// Files returns the files whose change may make the configuration usable: itself and the secret files that it names and
// that are not as they should be. One of these may be made only after the configuration names it.
func (p Problems) Files() []string {
	var files []string
	for _, problem := range p {
		for _, file := range []string{problem.File, problem.SecretFile} {
			if file != "" && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// problemsShown bounds the lines of Error, for a file can hold a thousand wrong addresses.
const problemsShown = 20

// Error returns a line a problem; of very many, the first 20 and how many more there are.
func (p Problems) Error() string {
	var lines []string
	for i, problem := range p {
		if i == problemsShown {
			lines = append(lines, fmt.Sprintf("%s: and %d more problems", problem.File, len(p)-i))
			break
		}
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n")
}

// shownBytes bounds a value in a problem.
const shownBytes = 64

// show returns a value for a problem, quoted, on one line and bounded. It ends before a line break or a ": ", because a
// quote that was never closed makes a value of the lines below it, and one of them may hold the secret.
func show(value string) string {
	cut := len(value)
	for i, r := range value {
		if i >= shownBytes || !unicode.IsPrint(r) || strings.HasPrefix(value[i:], ": ") {
			cut = i
			break
		}
	}
	if cut == len(value) {
		return strconv.Quote(value)
	}
	return strconv.Quote(value[:cut] + "…")
}

// plainKey returns a key as a problem names it. What is no key's character ends it: "token:s3cret" without the blank
// is a key, too, as far as YAML is concerned.
func plainKey(key string) string {
	cut := strings.IndexFunc(key, func(r rune) bool { return !isWord(r) })
	if cut < 0 {
		cut = len(key)
	}
	cut = min(cut, shownBytes)
	if key == "" || cut < len(key) {
		return strconv.Quote(key[:cut] + "…")
	}
	return key
}

// plainName returns the name of an instance or a host as a part of a key.
func plainName(name string) string {
	if name != "" && len(name) <= shownBytes && !strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
		return name
	}
	return show(name)
}

func isWord(r rune) bool {
	return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
