package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A clone is a clone of the repository, whose .ci/run the tests replace.
type clone struct {
	*testing.T
	dir string
}

func newClone(t *testing.T) *clone {
	t.Helper()
	c := &clone{t, filepath.Join(t.TempDir(), "floaty")}
	c.git("clone", "--quiet", ".", c.dir)
	c.git("-C", c.dir, "checkout", "--quiet", "-B", "main")
	c.write("CHANGELOG.md", "# Changelog\n\n## 1.2.3 (2026-12-01)\n\n- The first.\n")
	c.write(".ci/run", "#!/bin/sh\necho passes\n")
	c.commit()
	return c
}

func (c *clone) git(args ...string) string {
	c.Helper()
	out, err := output(c.Context(), "../..", "git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.invalid"}, args...)...)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

func (c *clone) write(name, text string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o755); err != nil {
		c.Fatal(err)
	}
}

func (c *clone) commit() { c.git("-C", c.dir, "commit", "--quiet", "--all", "--message=test") }

// release runs hack/release in the clone.
func (c *clone) release(args ...string) (string, error) {
	cmd := exec.CommandContext(c.Context(), "hack/release", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.invalid")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAReleaseIsRefusedUnlessAllIsInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		args    []string
		prepare func(c *clone)
		want    string
	}{
		"without a version":              {nil, nil, "usage: hack/release VERSION"},
		"with an invalid version":        {[]string{"v1.2.3"}, nil, "v1.2.3 is not a version"},
		"with an uncommitted edit":       {[]string{"1.2.3"}, func(c *clone) { c.write("README.md", "edited") }, "the tree is not clean"},
		"from another branch":            {[]string{"1.2.3"}, func(c *clone) { c.git("-C", c.dir, "checkout", "--quiet", "-b", "other") }, "not on other"},
		"a second time":                  {[]string{"1.2.3"}, func(c *clone) { c.git("-C", c.dir, "tag", "v1.2.3") }, "the tag v1.2.3 exists already"},
		"without a section in CHANGELOG": {[]string{"1.2.4"}, nil, `CHANGELOG.md has no section "## 1.2.4"`},
		"while CHANGELOG says that it is not released": {[]string{"1.2.3"}, func(c *clone) {
			c.write("CHANGELOG.md", "# Changelog\n\n## 1.2.3 (not released yet)\n\n- The first.\n")
			c.commit()
		}, "says that 1.2.3 is not released yet"},
		"when CI fails": {[]string{"1.2.3"}, func(c *clone) {
			c.write(".ci/run", "#!/bin/sh\nexit 1\n")
			c.commit()
		}, ".ci/run fails"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := newClone(t)
			if c.prepare != nil {
				c.prepare(cl)
			}
			tags := cl.git("-C", cl.dir, "tag")
			if out, err := cl.release(c.args...); err == nil || !strings.Contains(out, c.want) {
				t.Errorf("got %v and %q, want a failure with %q", err, out, c.want)
			}
			if got := cl.git("-C", cl.dir, "tag"); got != tags {
				t.Errorf("the tags are now %q, want %q", got, tags)
			}
		})
	}
}

func TestAReleaseIsTaggedAndItsProgramPrintsTheVersion(t *testing.T) {
	c := newClone(t)
	if out, err := c.release("1.2.3"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := c.git("-C", c.dir, "tag", "--points-at", "HEAD"); got != "v1.2.3" {
		t.Errorf("the tags of the commit are %q, want v1.2.3", got)
	}
	packed := filepath.Join(c.dir, ".cache", "dist", "floaty_1.2.3_linux_amd64.tar.gz")
	unpacked, err := output(t.Context(), t.TempDir(), "sh", "-ec", "tar -xzf '"+packed+"' --strip-components=3 --wildcards */usr/sbin/floaty && ./floaty --version")
	if err != nil || !strings.HasPrefix(unpacked, "floaty v1.2.3, ") {
		t.Errorf("the program prints %q, %v; want floaty v1.2.3", unpacked, err)
	}
}
