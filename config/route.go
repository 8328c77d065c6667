package config

import (
	"os"
	"path/filepath"
	"strings"
)

// maxLinks bounds the symbolic links on the way to one path, as the kernel does.
const maxLinks = 40

// A route is what lies on the way to the watched paths: the directories to watch, and the entries in them that matter.
type route struct {
	watch   func(path string) // asks the kernel; called before an entry is looked at, so that no change falls between
	watched map[string]bool   // directories without a symbolic link in their path, and the files themselves
	entries map[string]bool   // full paths of the entries that matter
	whole   map[string]bool   // directories of which every entry matters
}

func newRoute(watch func(path string)) route {
	return route{watch: watch, watched: map[string]bool{}, entries: map[string]bool{}, whole: map[string]bool{}}
}

// concerns reports whether what happened to path matters.
func (r route) concerns(path string) bool {
	return r.entries[path] || r.whole[filepath.Dir(path)]
}

// follow goes to path as the kernel does, one name after the other, as far as it exists.
func (r route) follow(path string) {
	dir, rest := "/", names(path)
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
			rest = append(names(target), rest...)
		case info.IsDir():
			dir = entry
		default:
			// The file itself, too: where it alone is mounted into a container, or has another hard link, what happens to
			// it does not show in this directory.
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

// names splits a path.
func names(path string) []string {
	var all []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			all = append(all, name)
		}
	}
	return all
}
