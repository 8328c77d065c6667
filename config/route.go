package config

import (
	"os"
	"path/filepath"
	"strings"
)

// maxLinks bounds the symbolic links on the way to one path, as the kernel does.
const maxLinks = 40

// A route is everything on the way to the watched paths: the directories to watch, and the entries in them that
// matter.
type route struct {
	watch   func(path string) // adds a watch; called before an entry is read, so that no change is missed in between
	watched map[string]bool   // directories without a symbolic link in their path, and the files themselves
	entries map[string]bool   // full paths of the entries that matter
	whole   map[string]bool   // directories in which every entry matters
}

func newRoute(watch func(path string)) route {
	return route{watch: watch, watched: map[string]bool{}, entries: map[string]bool{}, whole: map[string]bool{}}
}

// concerns reports whether a change at path matters.
func (r route) concerns(path string) bool {
	return r.entries[path] || r.whole[filepath.Dir(path)]
}

// follow resolves path as the kernel does, one component at a time, as far as it exists.
func (r route) follow(path string) {
	dir, rest := "/", components(path)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			dir = filepath.Dir(dir)
			continue
		}
		entry := filepath.Join(dir, name)
		r.add(dir)
		r.entries[entry] = true
		info, err := os.Lstat(entry)
		switch {
		case err != nil:
			return
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(entry)
			if links++; err != nil || links > maxLinks {
				return
			}
			if filepath.IsAbs(target) {
				dir = "/"
			}
			rest = append(components(target), rest...)
		case info.IsDir():
			dir = entry
		default:
			// The file itself is watched too: if it is mounted into a container alone, or has another hard link, a change
			// of it does not show in this directory.
			r.add(entry)
			return
		}
	}
	r.add(dir)
	r.whole[dir] = true
}

func (r route) add(path string) {
	if !r.watched[path] {
		r.watched[path] = true
		r.watch(path)
	}
}

// components splits a path.
func components(path string) []string {
	var all []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			all = append(all, name)
		}
	}
	return all
}
