package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// dist is the directory in which TestMain has built everything.
const dist = "../../.cache/dist"

func TestMain(m *testing.M) {
	if err := build(context.Background(), ""); err != nil {
		fmt.Fprintln(os.Stderr, "building the packages:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not root: this test boots systems of Debian")
	}
	for _, program := range []string{"systemd-nspawn", "debootstrap", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: hack/packaging/install-tools does that", program)
		}
	}
}

// debs returns the paths of two Debian packages for amd64: one with a version lower than every release, and the one in dist.
func debs(t *testing.T) (old, current string) {
	t.Helper()
	return lower(t, "floaty.deb"), only(t, "floaty_*_amd64.deb")
}

// lower returns the path of floaty.deb or floaty.rpm for amd64, with a version that is lower than every release.
func lower(t *testing.T, name string) string {
	t.Helper()
	dir, err := buildLower()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// buildLower builds those packages, once for all tests, and returns their directory.
var buildLower = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	r, err := newRelease(ctx, "0.0.0~alpha")
	if err != nil {
		return "", err
	}
	defer r.clear()
	r.dist = filepath.Join(r.root, ".cache", "dist-old")
	if err := os.MkdirAll(r.dist, 0o755); err != nil {
		return "", err
	}
	program := filepath.Join(r.stage, "floaty")
	if err := r.compile(ctx, program, "amd64"); err != nil {
		return "", err
	}
	parts, err := partsOf(ctx, r.source, program)
	if err != nil {
		return "", err
	}
	if err := r.generate(ctx, parts); err != nil {
		return "", err
	}
	return r.dist, errors.Join(r.packAs("deb", "floaty.deb", "amd64"), r.packAs("rpm", "floaty.rpm", "amd64"))
})

// only returns the path of the only file in dist that matches a pattern.
func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: got %v, %v, want one file", pattern, dist, found, err)
	}
	return found[0]
}
