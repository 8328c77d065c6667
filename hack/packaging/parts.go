package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// A part is a module that is linked into the program, or Go's standard library.
type part struct {
	path, version string
	license       string // as SPDX calls it
	text          string // of its licence files, one after the other
}

// url returns the address of a part's source.
func (p part) url() string {
	if p.path == "std" {
		return "https://go.dev/dl/"
	}
	if repository, ok := strings.CutPrefix(p.path, "github.com/hashicorp/"); ok { // those under the MPL, which wants the source's place
		return "https://github.com/hashicorp/" + repository + "/tree/" + p.version
	}
	return "https://pkg.go.dev/" + p.path + "@" + p.version
}

// purl returns a part's package URL. Scanners call Go's standard library "stdlib", and its versions 1.2.3 instead of go1.2.3.
func (p part) purl() string {
	if p.path == "std" {
		return "pkg:golang/stdlib@" + strings.TrimPrefix(p.version, "go")
	}
	return "pkg:golang/" + p.path + "@" + strings.ReplaceAll(p.version, "+", "%2B")
}

// partsOf returns the parts of a program, as go version -m lists them: first Go's standard library, then the modules sorted by path.
func partsOf(ctx context.Context, root, program string) ([]part, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "vcs.revision" }) {
		return nil, errors.New("the program does not know its commit: is git there?")
	}
	goroot, err := output(ctx, root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	std := part{path: "std", version: info.GoVersion}
	if std.license, std.text, err = licenseIn(goroot); err != nil {
		return nil, err
	}
	args := []string{"list", "-m", "-json=Path,Version,Dir"}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			return nil, fmt.Errorf("%s is replaced: its licence would have to be found elsewhere", dep.Path)
		}
		args = append(args, dep.Path)
	}
	listed, err := output(ctx, root, "go", args...)
	if err != nil {
		return nil, err
	}
	parts := []part{std}
	for d := json.NewDecoder(strings.NewReader(listed)); ; {
		var m struct{ Path, Version, Dir string }
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading go list's answer: %w", err)
		}
		p := part{path: m.Path, version: m.Version}
		if p.license, p.text, err = licenseIn(m.Dir); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		parts = append(parts, p)
	}
}

// licenseIn returns the licence that the licence files in a directory contain, and their text. A licence that covers less than three quarters
// of a file is only mentioned there, and does not count.
func licenseIn(dir string) (id, text string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", "", err
	}
	var ids, texts []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if entry.IsDir() || !strings.HasPrefix(name, "LICENSE") && !strings.HasPrefix(name, "LICENCE") &&
			!strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "NOTICE") && !strings.HasPrefix(name, "PATENTS") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", "", err
		}
		texts = append(texts, strings.TrimSpace(string(content)))
		found := licensecheck.Scan(content)
		if found.Percent < 75 {
			continue
		}
		for _, match := range found.Match {
			if !match.IsURL && match.ID != "GooglePatentsFile" && !slices.Contains(ids, match.ID) {
				ids = append(ids, match.ID)
			}
		}
	}
	if len(ids) == 0 {
		return "", "", fmt.Errorf("no known licence in %s", dir)
	}
	return strings.Join(ids, " AND "), strings.Join(texts, "\n\n"), nil
}
