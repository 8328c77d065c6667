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

// includes takes an include statement apart: the letter at the end of its word (see strict) and the pattern.
func includes(text string) (suffix, pattern string, ok bool) {
	word, pattern := cutBlank(text)
	suffix, ok = strings.CutPrefix(word, "include")
	if !ok || len(suffix) > 1 || !strings.Contains("rmwba", suffix) || pattern == "" {
		return "", "", false
	}
	return suffix, pattern, true
}

// What may be wrong with an include.
type fault int

const (
	unusable  fault = iota // it is a directory, or executable
	missing                // a file that is named is not there
	unmatched              // a pattern matches nothing
	partly                 // one of a {list} is not there
)

// strict says with which of the words includer, includem, includew, includeb and includea Keepalived refuses to start (seen
// on 2.2.7). With include it goes on, with a message but for unmatched.
var strict = map[fault]string{unusable: "rmwba", missing: "mwa", unmatched: "wa", partly: "ba"}

// include reads the files that a pattern names, in its order, before what is left of the present one.
func (r *reader) include(p piece, suffix, pattern string) error {
	switch {
	case p.made:
		return p.problem("an include made by a definition or a repetition is not supported: write it out")
	case strings.Contains(pattern, "$"):
		return p.problem(fmt.Sprintf("include %s: the definition is not known", pattern))
	case strings.HasPrefix(pattern, "~"):
		return p.problem(fmt.Sprintf("include %s: ~ is not supported: write the path", pattern))
	case len(r.files) >= maxNest:
		return p.problem(fmt.Sprintf("include %s: more than %d files within each other: does one include itself?", pattern, maxNest))
	}
	alternatives, err := unbraced(pattern)
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
			if err := r.absent(p, suffix, one, len(alternatives) > 1); err != nil {
				return err
			}
		}
		paths = append(paths, found...)
	}
	return r.openAll(p, suffix, paths)
}

// absent judges a path or pattern that names nothing.
func (r *reader) absent(p piece, suffix, pattern string, listed bool) error {
	kind, text := missing, "include %s: there is no such file"
	switch {
	case listed:
		kind = partly
	case globbed(pattern):
		kind, text = unmatched, "include %s: nothing matches"
	}
	if kind != unmatched || suffix != "" && strings.Contains(strict[kind], suffix) {
		return r.fault(p, suffix, kind, fmt.Sprintf(text, pattern))
	}
	return nil
}

// fault is an error or a warning, as the include's word has it.
func (r *reader) fault(p piece, suffix string, kind fault, text string) error {
	if suffix != "" && strings.Contains(strict[kind], suffix) {
		return p.problem(text + ", as include" + suffix + " demands")
	}
	r.warn(p, text)
	return nil
}

// openAll opens files so that they are read in their order.
func (r *reader) openAll(p piece, suffix string, paths []string) error {
	for _, path := range slices.Backward(paths) {
		info, err := os.Stat(path)
		if err != nil {
			return p.problem(fmt.Sprintf("include %s: %s", path, reason(err)))
		}
		if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0 {
			text := fmt.Sprintf("include %s: it is no regular file without execute permission: Keepalived leaves it out", path)
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

// find returns the paths that a pattern without braces names, sorted, and has their directories watched.
func (r *reader) find(pattern string) ([]string, error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(r.dir(), pattern)
	}
	if !globbed(pattern) {
		r.watch[pattern] = true
		if _, err := os.Stat(pattern); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return []string{pattern}, nil // whatever else is wrong shows when it is opened
	}
	for dir := pattern; globbed(dir); {
		dir = filepath.Dir(dir)
		dirs, err := filepath.Glob(dir)
		if err != nil {
			return nil, err
		}
		for _, d := range dirs {
			r.watch[d] = true
			if _, err := os.ReadDir(d); errors.Is(err, fs.ErrPermission) { // Glob would find nothing there, and say nothing
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

// hidden reports whether a name in path begins with a dot that its pattern does not give: glob(3) passes over those.
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

// unbraced returns the patterns that one with {a,b} stands for, in the order of the lists.
func unbraced(pattern string) ([]string, error) {
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
		some, err := unbraced(pattern[:open] + item + pattern[open+length+1:])
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(all) > 1000 {
			return nil, errors.New("more than 1000 alternatives")
		}
	}
	return all, nil
}

// reason is an error of the file system without the path, which stands elsewhere.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}
