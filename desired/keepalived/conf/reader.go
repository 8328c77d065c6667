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
	maxLine  = 1023    // bytes: up to 2.3 Keepalived cuts a longer line and takes the rest for a new one, later ones leave out one of this length
	maxFile  = 4 << 20 // bytes of one file
	maxNest  = 32      // files within files, and definitions within definitions
	maxTotal = 200_000 // lines and references, repeated ones counted: far above what any Keepalived runs with
)

// A reader turns files into tokens: it finds comments, conditions, definitions, repetitions and includes, so that the
// parser sees only words and braces.
type reader struct {
	id         string
	guessed    bool    // id is not certain
	conditions bool    // there are some
	files      []*file // that are being read, the innermost last
	pieces     []piece // to be read before the next line, the next one last
	defs       map[string][]string
	watch      map[string]bool
	warnings   []Problem
	total      int // pieces read and references replaced
}

// A file is one that is being read.
type file struct {
	path string
	rest []string // lines
	line int      // number of the last line that was taken
}

// A piece is text that is still to be read: a line, or what is left of one.
type piece struct {
	text   string
	file   string
	line   int
	depth  int    // of expansions that led to it
	made   bool   // it begins with what a definition or repetition stands for
	name   string // of a definition to be made first; empty: none
	value  string
	judged bool // its condition holds
	hidden bool // its comment ends in \, which Keepalived takes for its own end within a definition
}

func newReader(opts Options) *reader {
	return &reader{id: opts.ID, guessed: opts.Guessed, defs: map[string][]string{}, watch: map[string]bool{}}
}

// problem is one at the place of p.
func (p piece) problem(text string) Problem { return Problem{File: p.file, Line: p.line, Text: text} }

// with is p with another text.
func (p piece) with(text string) piece {
	p.text, p.name, p.value = text, "", ""
	return p
}

// unread is the problem of a file that the system does not let us read.
func unread(path string, err error) Problem {
	return Problem{File: path, Text: "reading: " + reason(err), Err: err}
}

// open starts to read a file, before what is left of the present one.
func (r *reader) open(path string) error {
	r.watch[path] = true
	info, err := os.Stat(path)
	if err != nil {
		return unread(path, err)
	}
	if !info.Mode().IsRegular() { // a FIFO would hang
		return Problem{File: path, Text: "reading: not a regular file"}
	}
	if info.Size() > maxFile {
		return Problem{File: path, Text: "reading: longer than 4 MiB"}
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return unread(path, err)
	}
	lines := strings.Split(string(data), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	r.files = append(r.files, &file{path: path, rest: lines})
	return nil
}

// dir is the directory from which the present file's includes start.
func (r *reader) dir() string { return filepath.Dir(r.files[len(r.files)-1].path) }

// line takes the next line of the files, without comment and blanks around it.
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
			return p, false, p.problem("the line is longer than 1022 bytes: Keepalived would cut it in two, or from 2.4 on leave it out")
		}
		if strings.ContainsRune(raw, 0) {
			return p, false, p.problem("a NUL byte: is this a text file?")
		}
		if p.text, err = uncommented(raw); err != nil {
			return p, false, p.problem(err.Error())
		}
		p.text = trimmed(p.text)
		if text, ok := strings.CutSuffix(p.text, `\`); ok { // it is glued to the word before it
			p.text = trimmed(text) + `\`
		} else {
			p.hidden = strings.HasSuffix(trimmed(raw), `\`)
		}
		return p, true, nil
	}
	return piece{}, false, nil
}

// next returns the next token; at the end of all files its kind is end.
func (r *reader) next() (token, error) {
	for {
		p, ok, err := r.piece()
		if err != nil {
			return token{}, err
		}
		if !ok {
			return token{kind: end}, nil
		}
		done, err := r.direct(p)
		if err != nil {
			return token{}, err
		}
		if done != nil {
			return r.split(*done)
		}
	}
}

// piece takes the next piece, of those put back or of the files.
func (r *reader) piece() (p piece, ok bool, err error) {
	if n := len(r.pieces); n > 0 {
		p, ok = r.pieces[n-1], true
		r.pieces = r.pieces[:n-1]
	} else if p, ok, err = r.line(); !ok {
		return p, false, err
	}
	if err := r.spend(p); err != nil {
		return p, false, err
	}
	if p.name != "" {
		r.defs[p.name] = []string{p.value}
	}
	return p, true, nil
}

// spend counts a piece or a reference, so that definitions of definitions and repetitions of repetitions come to an end.
func (r *reader) spend(p piece) error {
	if r.total++; r.total > maxTotal {
		return p.problem("more than 200000 lines and references, with all includes and repetitions")
	}
	return nil
}

// put puts pieces back, to be read in their order.
func (r *reader) put(pieces ...piece) {
	slices.Reverse(pieces)
	r.pieces = append(r.pieces, pieces...)
}

// direct obeys what a piece says to the reader. It returns the piece that is left for the parser; nil if none is.
func (r *reader) direct(p piece) (*piece, error) {
	p.text = trimmed(p.text)
	if strings.HasPrefix(p.text, "@") && !p.judged {
		return nil, r.condition(p)
	}
	if name, value, ok := definition(p.text); ok {
		return nil, r.define(p, name, value)
	}
	if strings.HasPrefix(p.text, "~") {
		return nil, r.repeat(p)
	}
	if name, ok := alone(p.text); ok && r.defs[name] != nil {
		return nil, r.spread(p, r.defs[name])
	}
	text, err := r.expand(p, p.text, 0)
	if err != nil {
		return nil, err
	}
	if text != p.text && strings.HasPrefix(p.text, "$") { // it may stand for any of the above
		return nil, r.spread(p, []string{text})
	}
	p.text = trimmed(text)
	if suffix, pattern, ok := includes(p.text); ok {
		return nil, r.include(p, suffix, pattern)
	}
	if p.text == "" {
		return nil, nil
	}
	return &p, nil
}

// condition obeys @id and @^id.
func (r *reader) condition(p piece) error {
	if p.made {
		return p.problem("a definition that stands for an @ condition is not supported: write the condition on the line")
	}
	id, rest := cutBlank(p.text[1:])
	not := strings.HasPrefix(id, "^")
	if strings.HasPrefix(id, "!") {
		return nil
	}
	r.conditions = true
	if hidden := invisible(id); hidden != "" {
		r.warn(p, fmt.Sprintf("the invisible character %s is no blank: Keepalived takes it for a part of %+q, and leaves the line out or not by that", hidden, "@"+id))
	}
	if (strings.TrimPrefix(id, "^") == r.id) == not {
		if r.guessed && matters(rest) {
			r.warn(p, fmt.Sprintf("@%s: left out, for the config id is taken to be the host name, %s: where Keepalived runs with -i, set keepalived-config-id", id, r.id))
		}
		return nil
	}
	p = p.with(rest)
	p.judged = true
	if strings.HasPrefix(rest, "@") {
		return p.problem("two @ conditions on one line are not supported: Keepalived obeys only the first")
	}
	r.put(p)
	return nil
}

// matters reports whether a statement may decide about addresses: one alone on its line may name one, or a member of a group.
func matters(text string) bool {
	word, rest := cutBlank(text)
	addr, _, _ := strings.Cut(word, "/")
	_, isAddr := parseAddr(addr)
	return isAddr || rest == "" && word != "" || strings.HasPrefix(word, "vrrp_") || strings.HasPrefix(word, "include") || strings.ContainsAny(text, "{}$~")
}

// watched returns what should be watched for changes, sorted.
func (r *reader) watched() []string { return slices.Sorted(maps.Keys(r.watch)) }

func (r *reader) warn(p piece, text string) { r.warnings = append(r.warnings, p.problem(text)) }
