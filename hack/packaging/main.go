// Command packaging builds the release files: packages for Debian, RPM distributions and Alpine, archives, checksums, and an SPDX document
// that lists the modules in the program. hack/package calls it.
//
// The same commit gives the same bytes: every timestamp is the commit's, and nothing depends on the directory, the host or the clock.
// Uncommitted changes are left out, because everything is built in a fresh clone. nfpm.yaml defines the contents of the packages.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// architectures returns the architectures to build for, with Go's names.
func architectures() []string { return []string{"amd64", "arm64"} }

func main() {
	if len(os.Args) > 2 || len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "usage: hack/package [VERSION]\nbuilds .cache/dist; VERSION is X.Y.Z, or X.Y.Z~SUFFIX before a release")
		os.Exit(2)
	}
	if err := build(context.Background(), strings.Join(os.Args[1:], "")); err != nil {
		fmt.Fprintln(os.Stderr, "hack/package:", err)
		os.Exit(1)
	}
}

// A release is a build of all files for one version.
type release struct {
	root    string    // of the repository
	source  string    // a fresh clone of it
	stage   string    // a temporary directory with all that is packed
	dist    string    // where the results go
	version string    // X.Y.Z, with ~SUFFIX before X.Y.Z
	time    time.Time // of the commit
}

// build deletes .cache/dist of the repository that contains the working directory, and builds everything into it.
func build(ctx context.Context, version string) error {
	r, err := newRelease(ctx, version)
	if err != nil {
		return err
	}
	defer r.clear()
	r.dist = filepath.Join(r.root, ".cache", "dist")
	if err := errors.Join(os.RemoveAll(r.dist), os.MkdirAll(r.dist, 0o755)); err != nil {
		return err
	}
	var parts []part
	for _, arch := range architectures() {
		program := filepath.Join(r.stage, "program-"+arch)
		if err := r.compile(ctx, program, arch); err != nil {
			return err
		}
		found, err := partsOf(ctx, r.source, program)
		if err != nil {
			return err
		}
		if parts != nil && !slices.Equal(parts, found) {
			return fmt.Errorf("the programs for %v are made of different modules", architectures())
		}
		parts = found
	}
	if err := r.generate(ctx, parts); err != nil {
		return err
	}
	for _, arch := range architectures() {
		if err := r.pack(arch); err != nil {
			return fmt.Errorf("packing for %s: %w", arch, err)
		}
	}
	if err := r.writeSPDX(parts); err != nil {
		return err
	}
	return r.writeSums()
}

// newRelease prepares a build of the commit that is checked out in the working directory. The caller must call clear.
func newRelease(ctx context.Context, version string) (*release, error) {
	r := &release{}
	var err error
	if r.root, err = output(ctx, ".", "git", "rev-parse", "--show-toplevel"); err != nil {
		return nil, err
	}
	if r.time, err = commitTime(ctx, r.root); err != nil {
		return nil, err
	}
	if r.version, err = chooseVersion(ctx, r.root, version, r.time); err != nil {
		return nil, err
	}
	if r.stage, err = os.MkdirTemp("", "floaty-package-"); err != nil {
		return nil, err
	}
	r.source = filepath.Join(r.stage, "source")
	if _, err := output(ctx, r.root, "git", "clone", "--quiet", r.root, r.source); err != nil {
		r.clear()
		return nil, err
	}
	return r, nil
}

func (r *release) clear() { _ = os.RemoveAll(r.stage) } // only a temporary directory

// compile builds the program for an architecture. The environment does not affect the result.
func (r *release) compile(ctx context.Context, path, arch string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", path, "./cmd/floaty")
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building floaty for %s: %w\n%s", arch, err, out)
	}
	return nil
}

// writeSums writes SHA256SUMS with the checksums of all files in dist.
func (r *release) writeSums() error {
	entries, err := os.ReadDir(r.dist)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(r.dist, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return os.WriteFile(filepath.Join(r.dist, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// output runs a command in dir and returns what it prints, without surrounding white space.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
