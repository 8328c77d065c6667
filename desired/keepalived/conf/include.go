package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// includes parses an include statement: the letter at the end of its keyword (see strict), and the pattern.
func includes(text string) (suffix, pattern string, ok bool) {
	word, pattern := cutWord(text)
	suffix, ok = strings.CutPrefix(word, "include")
	if !ok || len(suffix) > 1 || !strings.Contains("rmwba", suffix) || pattern == "" {
		return "", "", false
	}
	return suffix, pattern, true
}

// A fault is what may be wrong with an include.
type fault int

const (
	unusable  fault = iota // the file is a directory or another special file, or executable
	missing                // a file does not exist
	unmatched              // a pattern matches nothing
	partly                 // one alternative of a {list} does not exist
)

// strict returns the last letters of those keywords, among includer, includem, includew, includeb and includea, with which Keepalived
// refuses to start because of a fault (seen on 2.2.7). With include it goes on, and logs a message unless the fault is unmatched.
func strict(f fault) (suffixes string) {
	switch f {
	case unusable:
		return "rmwba"
	case missing:
		return "mwa"
	case unmatched:
		return "wa"
	case partly:
		return "ba"
	}
	return ""
}

// include reads the files that match a pattern, in the order that the pattern gives, before the rest of the current file.
func (r *reader) include(p piece, suffix, pattern string) error {
	switch {
	case p.expanded:
		return p.problem("an include that comes from a definition or a repetition is not supported: write the path itself")
	case strings.Contains(pattern, "$"):
		return p.problem(fmt.Sprintf("include %s: it contains an undefined definition", pattern))
	case strings.HasPrefix(pattern, "~"):
		return p.problem(fmt.Sprintf("include %s: ~ is not supported: write the path", pattern))
	case len(r.files) >= maxNest:
		return p.problem(fmt.Sprintf("include %s: files nested more than %d deep: does one include itself?", pattern, maxNest))
	}
	alternatives, err := expandBraces(pattern)
	if err != nil {
		return p.problem(fmt.Sprintf("include %s: %v", pattern, err))
	}
	var paths []string
	for _, one := range alternatives {
		found, err := r.find(one)
		if err != nil {
			return p.problem(fmt.Sprintf("include %s: %v", pattern, err))
		}
		if len(found) == 0 {
			if err := r.notFound(p, suffix, one, len(alternatives) > 1); err != nil {
				return err
			}
		}
		paths = append(paths, found...)
	}
	return r.openAll(p, suffix, paths)
}

// notFound handles a path or pattern that matches nothing. listed tells whether it is an alternative of a {list}.
func (r *reader) notFound(p piece, suffix, pattern string, listed bool) error {
	kind, text := missing, "include %s: there is no such file"
	switch {
	case listed:
		kind = partly
	case globbed(pattern):
		kind, text = unmatched, "include %s: nothing matches"
	}
	if kind != unmatched || suffix != "" && strings.Contains(strict(kind), suffix) {
		return r.fault(p, suffix, kind, fmt.Sprintf(text, pattern))
	}
	return nil
}

// fault returns an error or adds a warning, depending on the keyword.
func (r *reader) fault(p piece, suffix string, kind fault, text string) error {
	if suffix != "" && strings.Contains(strict(kind), suffix) {
		return p.problem(text + ", which include" + suffix + " does not allow")
	}
	r.warn(p, text)
	return nil
}

// openAll opens files so that they are read in this order.
func (r *reader) openAll(p piece, suffix string, paths []string) error {
	for _, path := range slices.Backward(paths) {
		info, err := os.Stat(path)
		if err != nil {
			return p.problem(fmt.Sprintf("include %s: %s", path, reason(err)))
		}
		if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0 {
			text := fmt.Sprintf("include %s: not a regular file, or executable: Keepalived ignores it", path)
			if err := r.fault(p, suffix, unusable, text); err != nil {
				return err
			}
			continue
		}
		if err := r.open(path); err != nil {
			return p.problem(fmt.Sprintf("include %s: %v", path, err))
		}
	}
	return nil
}

// find returns the paths that match a pattern without braces, sorted, and adds their directories to those that are watched.
func (r *reader) find(pattern string) ([]string, error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(r.dir(), pattern)
	}
	if !globbed(pattern) {
		r.watch[pattern] = true
		if _, err := os.Stat(pattern); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return []string{pattern}, nil // any other problem shows when it is opened
	}
	for dir := pattern; globbed(dir); {
		dir = filepath.Dir(dir)
		dirs, err := filepath.Glob(dir)
		if err != nil {
			return nil, err
		}
		for _, d := range dirs {
			r.watch[d] = true
			if _, err := os.ReadDir(d); errors.Is(err, fs.ErrPermission) { // Glob would silently find nothing there
				return nil, fmt.Errorf("reading %s: %s", d, reason(err))
			}
		}
		if len(dirs) == 0 && !globbed(dir) {
			r.watch[dir] = true
		}
	}
	paths, err := filepath.Glob(pattern)
	return slices.DeleteFunc(paths, func(path string) bool { return hidden(pattern, path) }), err
}

// hidden reports whether a name in path begins with a dot while the pattern for it does not: glob(3) ignores those.
func hidden(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i := range min(len(want), len(got)) {
		if strings.HasPrefix(got[i], ".") && !strings.HasPrefix(want[i], ".") {
			return true
		}
	}
	return false
}

func globbed(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

// expandBraces returns the patterns that a pattern with {a,b} means, in the order of the lists.
func expandBraces(pattern string) ([]string, error) {
	open := strings.IndexByte(pattern, '{')
	if open < 0 {
		if strings.Contains(pattern, "}") {
			return nil, errors.New("a } without {")
		}
		return []string{pattern}, nil
	}
	length := strings.IndexByte(pattern[open:], '}')
	list := pattern[open+1:]
	if length > 0 {
		list = pattern[open+1 : open+length]
	}
	if length < 0 || strings.Contains(list, "{") {
		return nil, errors.New("braces within braces, or not closed, are not supported")
	}
	var all []string
	for item := range strings.SplitSeq(list, ",") {
		some, err := expandBraces(pattern[:open] + item + pattern[open+length+1:])
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(all) > 1000 {
			return nil, errors.New("more than 1000 alternatives")
		}
	}
	return all, nil
}

// reason returns the text of a file system error without the path, which the caller adds.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}
