package conf

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxLine  = 1023    // bytes: Keepalived up to 2.3 splits a longer line in two; later versions ignore even one of this length
	maxFile  = 4 << 20 // bytes in one file
	maxNest  = 32      // files within files, and definitions within definitions
	maxTotal = 200_000 // lines and references, counted as often as they are repeated: far more than any real configuration has
)

// A reader turns files into tokens. It handles comments, conditions, definitions, repetitions and includes, so that the parser sees
// only words and braces.
type reader struct {
	id         string
	guessed    bool    // id is uncertain
	conditions bool    // an @id condition or $_INSTANCE has been read
	files      []*file // the files that are being read; the innermost is the last
	pieces     []piece // to be read before the next line; the next one is the last
	defs       map[string][]string
	watch      map[string]bool
	warnings   []Problem
	total      int // how many pieces have been read and references replaced
}

// A file is a file that is being read.
type file struct {
	path string
	rest []string // the lines that have not been read
	line int      // the number of the line that was read last
}

// A piece is text that is still to be read: a line, or the rest of one.
type piece struct {
	text     string
	file     string
	line     int
	depth    int    // how many expansions led to it
	expanded bool   // it begins with text from a definition or a repetition
	name     string // of a definition to be made before the piece is read; empty: none
	value    string
	met      bool // its condition was met
	hidden   bool // its comment ends in \, which Keepalived would take as a continuation within a definition
}

func newReader(opts Options) *reader {
	return &reader{id: opts.ID, guessed: opts.Guessed, defs: map[string][]string{}, watch: map[string]bool{}}
}

// problem returns a problem at the place of p.
func (p piece) problem(text string) Problem { return Problem{File: p.file, Line: p.line, Text: text} }

// with returns p with another text.
func (p piece) with(text string) piece {
	p.text, p.name, p.value = text, "", ""
	return p
}

// unreadable returns the problem for a file that cannot be read.
func unreadable(path string, err error) Problem {
	return Problem{File: path, Text: "reading: " + reason(err), Err: err}
}

// open begins to read a file, before the rest of the current one.
func (r *reader) open(path string) error {
	r.watch[path] = true
	info, err := os.Stat(path)
	if err != nil {
		return unreadable(path, err)
	}
	if !info.Mode().IsRegular() { // reading a FIFO would block
		return Problem{File: path, Text: "reading: not a regular file"}
	}
	if info.Size() > maxFile {
		return Problem{File: path, Text: "reading: longer than 4 MiB"}
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return unreadable(path, err)
	}
	lines := strings.Split(string(data), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	r.files = append(r.files, &file{path: path, rest: lines})
	return nil
}

// dir returns the directory to which paths of includes in the current file are relative.
func (r *reader) dir() string { return filepath.Dir(r.files[len(r.files)-1].path) }

// line reads the next line, without its comment and surrounding blanks. It reports false at the end of all files.
func (r *reader) line() (p piece, ok bool, err error) {
	for len(r.files) > 0 {
		f := r.files[len(r.files)-1]
		if len(f.rest) == 0 {
			r.files = r.files[:len(r.files)-1]
			continue
		}
		raw := f.rest[0]
		f.rest = f.rest[1:]
		f.line++
		p = piece{file: f.path, line: f.line}
		if len(raw) >= maxLine {
			return p, false, p.problem("the line is longer than 1022 bytes: Keepalived would split it, or from 2.4 on ignore it")
		}
		if strings.ContainsRune(raw, 0) {
			return p, false, p.problem("a NUL byte: is this a text file?")
		}
		if p.text, err = stripComment(raw); err != nil {
			return p, false, p.problem(err.Error())
		}
		p.text = trim(p.text)
		if text, ok := strings.CutSuffix(p.text, `\`); ok { // the blanks before it do not count
			p.text = trim(text) + `\`
		} else {
			p.hidden = strings.HasSuffix(trim(raw), `\`)
		}
		return p, true, nil
	}
	return piece{}, false, nil
}

// next returns the next token. At the end of all files, its kind is end.
func (r *reader) next() (token, error) {
	for {
		p, ok, err := r.piece()
		if err != nil {
			return token{}, err
		}
		if !ok {
			return token{kind: end}, nil
		}
		done, err := r.preprocess(p)
		if err != nil {
			return token{}, err
		}
		if done != nil {
			return r.split(*done)
		}
	}
}

// piece returns the next piece: one that was put back, or the next line.
func (r *reader) piece() (p piece, ok bool, err error) {
	if n := len(r.pieces); n > 0 {
		p = r.pieces[n-1]
		r.pieces = r.pieces[:n-1]
	} else if p, ok, err = r.line(); !ok {
		return p, false, err
	}
	if err := r.count(p); err != nil {
		return p, false, err
	}
	if p.name != "" {
		r.defs[p.name] = []string{p.value}
	}
	return p, true, nil
}

// count counts a piece or a reference, so that definitions of definitions and repetitions of repetitions come to an end.
func (r *reader) count(p piece) error {
	if r.total++; r.total > maxTotal {
		return p.problem("more than 200000 lines and references, with all includes and repetitions")
	}
	return nil
}

// putBack puts pieces back, to be read next, in this order.
func (r *reader) putBack(pieces ...piece) {
	slices.Reverse(pieces)
	r.pieces = append(r.pieces, pieces...)
}

// preprocess carries out what is meant for the reader: conditions, definitions, repetitions and includes. It returns what is left for the
// parser, or nil.
func (r *reader) preprocess(p piece) (*piece, error) {
	p.text = trim(p.text)
	if strings.HasPrefix(p.text, "@") && !p.met {
		return nil, r.condition(p)
	}
	if name, value, ok := definition(p.text); ok {
		return nil, r.define(p, name, value)
	}
	if strings.HasPrefix(p.text, "~") {
		return nil, r.repeat(p)
	}
	if name, ok := soleReference(p.text); ok && r.defs[name] != nil {
		return nil, r.expandLines(p, r.defs[name])
	}
	text, err := r.expand(p, p.text, 0)
	if err != nil {
		return nil, err
	}
	if text != p.text && strings.HasPrefix(p.text, "$") { // it may have become any of the above
		return nil, r.expandLines(p, []string{text})
	}
	p.text = trim(text)
	if suffix, pattern, ok := includes(p.text); ok {
		return nil, r.include(p, suffix, pattern)
	}
	if p.text == "" {
		return nil, nil
	}
	return &p, nil
}

// condition carries out @id and @^id.
func (r *reader) condition(p piece) error {
	if p.expanded {
		return p.problem("a definition that begins with an @ condition is not supported: write the condition on the line itself")
	}
	id, rest := cutWord(p.text[1:])
	not := strings.HasPrefix(id, "^")
	if strings.HasPrefix(id, "!") {
		return nil
	}
	r.conditions = true
	if hidden := invisible(id); hidden != "" {
		r.warn(p, fmt.Sprintf("the invisible character %s is not a blank to Keepalived, which takes it as part of %+q, and compares all of that with its config ID", hidden, "@"+id))
	}
	if (strings.TrimPrefix(id, "^") == r.id) == not {
		if r.guessed && mayMatter(rest) {
			r.warn(p, fmt.Sprintf("@%s: ignored, because the config ID is assumed to be the host name, %s: if Keepalived runs with -i, set keepalived-config-id", id, r.id))
		}
		return nil
	}
	p = p.with(rest)
	p.met = true
	if strings.HasPrefix(rest, "@") {
		return p.problem("two @ conditions on one line are not supported: Keepalived applies only the first")
	}
	r.putBack(p)
	return nil
}

// mayMatter reports whether a statement may affect the addresses. Even a single word may be an address, or a member of a group.
func mayMatter(text string) bool {
	word, rest := cutWord(text)
	addr, _, _ := strings.Cut(word, "/")
	_, isAddr := parseAddr(addr)
	return isAddr || rest == "" && word != "" || strings.HasPrefix(word, "vrrp_") || strings.HasPrefix(word, "include") || strings.ContainsAny(text, "{}$~")
}

// watched returns the files and directories to watch for changes, sorted.
func (r *reader) watched() []string { return slices.Sorted(maps.Keys(r.watch)) }

func (r *reader) warn(p piece, text string) { r.warnings = append(r.warnings, p.problem(text)) }
