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
	Key  string // the full name, such as cloudscale.token; empty: the problem is about the file
	Text string // one line; never contains a secret

	SecretFile string // the unusable secret file, a change of which may solve the problem; empty: none
}

// Error returns the problem in one line: the file, the key, what is wrong, and what would be right.
func (p Problem) Error() string {
	var parts []string
	for _, part := range []string{p.File, p.Key, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Problems are everything that is wrong with a configuration. It is the error that [Load] returns, and never empty.
type Problems []Problem

// Files returns the files whose change may make the configuration usable: the configuration file and the unusable
// secret files that it names. A secret file may be created only after the configuration names it.
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

// maxProblemsShown bounds the lines of Error, because a file can contain a thousand wrong addresses.
const maxProblemsShown = 20

// Error returns one line per problem: the first 20, and how many more there are.
func (p Problems) Error() string {
	var lines []string
	for i, problem := range p {
		if i == maxProblemsShown {
			lines = append(lines, fmt.Sprintf("%s: and %d more problems", problem.File, len(p)-i))
			break
		}
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n")
}

// maxQuotedBytes bounds a value in a problem.
const maxQuotedBytes = 64

// quote returns a value for use in a problem: quoted, in one line and bounded. It is cut at a line break and at ": ",
// because after a missing closing quote a value includes the following lines of the file, and one of them may contain
// the secret.
func quote(value string) string {
	cut := len(value)
	for i, r := range value {
		if i >= maxQuotedBytes || !unicode.IsPrint(r) || strings.HasPrefix(value[i:], ": ") {
			cut = i
			break
		}
	}
	if cut == len(value) {
		return strconv.Quote(value)
	}
	return strconv.Quote(value[:cut] + "…")
}

// quoteKey returns a key for use in a problem. It is cut at the first character that no key contains: for YAML,
// "token:s3cret", without a space after the colon, is a key.
func quoteKey(key string) string {
	cut := strings.IndexFunc(key, func(r rune) bool { return !isWord(r) })
	if cut < 0 {
		cut = len(key)
	}
	cut = min(cut, maxQuotedBytes)
	if key == "" || cut < len(key) {
		return strconv.Quote(key[:cut] + "…")
	}
	return key
}

// quoteName returns the name of an instance or a host as part of a key.
func quoteName(name string) string {
	if name != "" && len(name) <= maxQuotedBytes && !strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
		return name
	}
	return quote(name)
}

func isWord(r rune) bool {
	return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
