package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// generate creates those files of the packages that are not in the repository.
func (r *release) generate(ctx context.Context, parts []part) error {
	for _, page := range []string{"floaty.8", "floaty.yml.5"} {
		content, err := os.ReadFile(filepath.Join(r.source, "hack", "docs", "man", page))
		if err != nil {
			return err
		}
		var zipped bytes.Buffer
		w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // it writes no time and no name
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := r.put("man/"+page+".gz", zipped.Bytes()); err != nil {
			return err
		}
	}
	if err := r.pages(); err != nil {
		return err
	}
	notices, err := r.notices(ctx, parts)
	if err != nil {
		return err
	}
	return r.put("notices", notices)
}

// pages writes the pages as they are installed. A link points at the place where its target is installed, or becomes plain text if the target
// is not installed.
func (r *release) pages() error {
	config, err := r.description("amd64", r.version)
	if err != nil {
		return err
	}
	installed := map[string]string{} // by the path in the repository
	for _, content := range config.Contents {
		installed[content.Source] = content.Destination
	}
	for source := range installed {
		if path.Ext(source) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(r.source, source))
		if err != nil {
			return err
		}
		if err := r.put(source, relink(text, source, installed)); err != nil {
			return err
		}
	}
	return nil
}

// link matches a Markdown link to another page: its text, its target, and its heading if it has one.
func link() *regexp.Regexp { return regexp.MustCompile(`\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)`) }

// relink returns the text of a page, given by its path in the repository, with the links that it has when it is installed.
func relink(text []byte, page string, installed map[string]string) []byte {
	pattern := link()
	return pattern.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := pattern.FindSubmatch(found)
		label, target, heading := string(parts[1]), string(parts[2]), string(parts[3])
		if strings.Contains(target, "://") {
			return found
		}
		destination, ok := installed[path.Join(path.Dir(page), target)]
		if !ok {
			return []byte(label)
		}
		relative, err := filepath.Rel(path.Dir(installed[page]), destination)
		if err != nil { // impossible: both are absolute
			return []byte(label)
		}
		return []byte("[" + label + "](" + relative + heading + ")")
	})
}

// notices returns the licences of all modules that are linked into the program, with the address of the source if the licence requires that.
// go-licenses finds the licence of each package, including licences in subdirectories.
func (r *release) notices(ctx context.Context, parts []part) ([]byte, error) {
	saved := filepath.Join(r.stage, "licenses")
	cmd := exec.CommandContext(ctx, filepath.Join(r.root, ".cache", "bin", "go-licenses"), "save", "./cmd/floaty", "--save_path="+saved, "--ignore=floaty")
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go-licenses: %w\n%s", err, out)
	}
	var text strings.Builder
	text.WriteString("The program floaty contains the following works of others, unmodified. For those under the Mozilla Public License 2.0\n" +
		"(MPL-2.0) the address below is where their source can be had.\n")
	for _, p := range parts {
		own := p.text
		if p.path != "std" {
			var err error
			if own, err = savedLicences(saved, p.path, parts); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(&text, "\n%s\n%s %s (%s)\n%s\n\n%s\n", strings.Repeat("=", 78), p.path, p.version, p.license, p.url(), own)
	}
	return []byte(text.String()), nil
}

// savedLicences returns the licence files that go-licenses has saved for a module, without duplicates.
func savedLicences(saved, module string, parts []part) (string, error) {
	var texts []string
	root := filepath.Join(saved, module)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			below, _ := filepath.Rel(saved, path)
			if path != root && slices.ContainsFunc(parts, func(p part) bool { return p.path == below }) {
				return filepath.SkipDir // another module
			}
			return nil
		}
		name := strings.ToUpper(entry.Name())
		if !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if text := strings.TrimSpace(string(content)); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("the licences of %s: %w", module, err)
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("go-licenses has found no licence of %s", module)
	}
	return strings.Join(texts, "\n\n"), nil
}

// put writes a file in the stage.
func (r *release) put(name string, content []byte) error {
	path := filepath.Join(r.stage, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, r.time, r.time)
}
