package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// everywhere returns the files that every package installs, with their modes.
func everywhere(t *testing.T) map[string]os.FileMode {
	t.Helper()
	files := map[string]os.FileMode{
		"usr/sbin/floaty":                                     0o755,
		"usr/share/man/man8/floaty.8.gz":                      0o644,
		"usr/share/man/man5/floaty.yml.5.gz":                  0o644,
		"usr/share/bash-completion/completions/floaty":        0o644,
		"usr/share/fish/vendor_completions.d/floaty.fish":     0o644,
		"usr/share/doc/floaty/README.md":                      0o644,
		"usr/share/doc/floaty/CHANGELOG.md":                   0o644,
		"usr/share/doc/floaty/THIRD-PARTY-NOTICES":            0o644,
		"usr/share/doc/floaty/copyright":                      0o644,
		"usr/share/doc/floaty/examples/floaty-cloudscale.yml": 0o644,
		"usr/share/doc/floaty/examples/floaty-exoscale.yml":   0o644,
		"usr/share/doc/floaty/examples/keepalived.conf":       0o644,
		"usr/share/floaty/alerts.yml":                         0o644,
		"usr/share/floaty/dashboard.json":                     0o644,
		"usr/lib/nagios/plugins/check_floaty":                 0o755,
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: got %v, %v", pages, err)
	}
	for _, page := range pages {
		files["usr/share/doc/floaty/docs/"+filepath.Base(page)] = 0o644
	}
	return files
}

// withSystemd returns the further files that packages for distributions with systemd install.
func withSystemd() map[string]os.FileMode {
	return map[string]os.FileMode{
		"usr/lib/systemd/system/floaty.service":                        0o644,
		"usr/lib/sysusers.d/floaty.conf":                               0o644,
		"usr/lib/tmpfiles.d/floaty.conf":                               0o644,
		"usr/share/doc/floaty/examples/root-only-keepalived-conf.conf": 0o644,
	}
}

// checkFiles demands that a package has exactly the files of everywhere and more, with their modes.
func checkFiles(t *testing.T, what string, got map[string]os.FileMode, more ...map[string]os.FileMode) {
	t.Helper()
	want := map[string]os.FileMode{}
	for _, list := range append(more, everywhere(t)) {
		for path, mode := range list {
			want[path] = mode
		}
	}
	for path, mode := range want {
		if had, ok := got[path]; !ok || had != mode {
			t.Errorf("%s: %s exists: %v, with mode %o; want it with mode %o", what, path, ok, had, mode)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s: got %s, which does not belong there", what, path)
		}
	}
}

// members returns the contents of the files in a tar stream, and their modes.
func members(t *testing.T, r io.Reader, strip string) (contents map[string]string, modes map[string]os.FileMode) {
	t.Helper()
	contents, modes = map[string]string{}, map[string]os.FileMode{}
	for packed := tar.NewReader(r); ; {
		header, err := packed.Next()
		if errors.Is(err, io.EOF) {
			return contents, modes
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		if header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s belongs to %d:%d, want root", header.Name, header.Uid, header.Gid)
		}
		content, err := io.ReadAll(packed)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(header.Name, strip), "./")
		contents[name], modes[name] = string(content), header.FileInfo().Mode().Perm()
	}
}

func TestTheArchivesHaveTheRightFiles(t *testing.T) {
	for _, arch := range architectures() {
		archive := only(t, "floaty_*_linux_"+arch+".tar.gz")
		f, err := os.Open(archive)
		if err != nil {
			t.Fatal(err)
		}
		zipped, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		contents, modes := members(t, zipped, strings.TrimSuffix(filepath.Base(archive), ".tar.gz")+"/")
		checkFiles(t, archive, modes, withSystemd(), map[string]os.FileMode{"usr/share/zsh/vendor-completions/_floaty": 0o644})
		checkLinks(t, contents)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTheDebianPackagesHaveTheRightFilesAndFields(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	for _, arch := range architectures() {
		path := only(t, "floaty_*_"+arch+".deb")
		packed, err := exec.CommandContext(t.Context(), "dpkg-deb", "--fsys-tarfile", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, modes := members(t, bytes.NewReader(packed), "")
		checkFiles(t, path, modes, withSystemd(), map[string]os.FileMode{"usr/share/zsh/vendor-completions/_floaty": 0o644})
		for field, want := range map[string]string{"Package": "floaty", "Architecture": arch, "Depends": "ca-certificates", "Recommends": "keepalived"} {
			if got, err := output(t.Context(), ".", "dpkg-deb", "--field", path, field); got != want {
				t.Errorf("%s: %s is %q, %v; want %q", path, field, got, err, want)
			}
		}
	}
}

func TestTheRPMsHaveTheRightFilesAndFields(t *testing.T) {
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("rpm is not installed: hack/packaging/install-tools does that")
	}
	for arch, name := range map[string]string{"amd64": "x86_64", "arm64": "aarch64"} {
		path := only(t, "floaty_*_"+name+".rpm")
		listed, err := output(t.Context(), ".", "rpm", "--query", "--package", "--nosignature", "--queryformat", "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME}\n]", path)
		if err != nil {
			t.Fatal(err)
		}
		modes := map[string]os.FileMode{}
		for line := range strings.Lines(listed) {
			var file, owner string
			var mode uint32
			if _, err := fmt.Sscanf(line, "%s %o %s", &file, &mode, &owner); err != nil || owner != "root" {
				t.Errorf("%s: got the line %q, %v; want a file that root owns", path, line, err)
			}
			modes[strings.TrimPrefix(file, "/")] = os.FileMode(mode).Perm()
		}
		checkFiles(t, path, modes, withSystemd(), map[string]os.FileMode{"usr/share/zsh/site-functions/_floaty": 0o644})
		about, err := output(t.Context(), ".", "rpm", "--query", "--package", "--nosignature", "--queryformat", "%{NAME} %{ARCH} %{LICENSE}", path)
		if want := "floaty " + name + " BSD-3-Clause"; about != want {
			t.Errorf("%s (%s): got %q, %v; want %q", path, arch, about, err, want)
		}
		if _, err := output(t.Context(), ".", "rpm", "--checksig", "--nosignature", path); err != nil {
			t.Errorf("%s: checking its digests: %v", path, err)
		}
		scripts, err := output(t.Context(), ".", "rpm", "--query", "--package", "--nosignature", "--scripts", path)
		for _, want := range []string{"postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet"} {
			if !strings.Contains(scripts, want) {
				t.Errorf("%s: no %s in %q, %v", path, want, scripts, err)
			}
		}
	}
}

// An apk is two gzip streams, each of a tar archive: first the control data, then the files.
func TestTheAlpinePackagesHaveTheRightFilesAndFields(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		path := only(t, "floaty_*_"+arch+".apk")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var streams [][]byte
		for left := bufio.NewReader(bytes.NewReader(content)); ; {
			zipped, err := gzip.NewReader(left)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			zipped.Multistream(false)
			stream, err := io.ReadAll(zipped)
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, stream)
		}
		if len(streams) != 2 {
			t.Fatalf("%s: got %d gzip streams, want two: the control data and the files", path, len(streams))
		}
		control, _ := members(t, bytes.NewReader(streams[0]), "")
		files, modes := members(t, bytes.NewReader(streams[1]), "")
		checkFiles(t, path, modes, map[string]os.FileMode{"usr/share/zsh/site-functions/_floaty": 0o644, "etc/init.d/floaty": 0o755})
		for _, want := range []string{"pkgname = floaty\n", "arch = " + arch + "\n", "depend = ca-certificates\n", "license = BSD-3-Clause\n", "datahash = "} {
			if !strings.Contains(control[".PKGINFO"], want) {
				t.Errorf("%s: no %q in .PKGINFO:\n%s", path, want, control[".PKGINFO"])
			}
		}
		for line := range strings.Lines(control[".PKGINFO"]) {
			if _, _, ok := strings.Cut(line, " = "); !ok && !strings.HasPrefix(line, "#") {
				t.Errorf("%s: the line %q of .PKGINFO is not an assignment", path, line)
			}
		}
		for _, script := range []string{".pre-install", ".post-upgrade", ".pre-deinstall"} {
			checkShell(t, script, control[script])
		}
		checkShell(t, "etc/init.d/floaty", files["etc/init.d/floaty"])
	}
}

// Alpine's service script must do what the systemd unit does. The functions of OpenRC are replaced by stubs that print their arguments.
func TestTheOpenRCScriptMatchesTheUnit(t *testing.T) {
	script, err := filepath.Abs("apk/floaty.initd")
	if err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]string{
		"start_pre": "checkpath --directory --mode 0750 --owner floaty:floaty /run/floaty\n" +
			"checkpath --pipe --mode 0600 --owner floaty:floaty /run/floaty/keepalived.fifo\n",
		"depend":                "need net\nuse logger\nbefore keepalived\n",
		"command=true; reload":  "supervise-daemon floaty --signal HUP\n",
		"command=false; reload": "", // the configuration is unusable
		"echo $supervisor $command $command_args as $command_user": "supervise-daemon /usr/sbin/floaty --fifo /etc/floaty.yml /run/floaty/keepalived.fifo as floaty:floaty\n",
	} {
		stubs := ""
		for _, name := range []string{"checkpath", "need", "use", "before", "supervise-daemon"} {
			stubs += fmt.Sprintf("%s() { echo %s \"$@\"; }\n", strings.ReplaceAll(name, "-", "_"), name)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "alias supervise-daemon=supervise_daemon\n"+stubs+
			"ebegin() { :; }; eend() { return $1; }; RC_SVCNAME=floaty\n. "+script+"\n"+call)
		if got, err := cmd.Output(); string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", call, got, err, want)
		}
	}
}

// A shell must be able to parse every script of a package.
func TestTheScriptsAreValidShell(t *testing.T) {
	for _, dir := range []string{"deb", "rpm", "apk"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			checkShell(t, path, string(content))
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func checkShell(t *testing.T, name, script string) {
	t.Helper()
	if script == "" {
		t.Errorf("%s is missing or empty", name)
		return
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s is not a valid shell script: %v\n%s", name, err, out)
	}
}

// programOf returns the path of a copy of the program in the archive for an architecture.
func programOf(t *testing.T, arch string) string {
	t.Helper()
	return unpacked(t, arch, "usr/sbin/floaty", 0o700)
}

// unpacked returns the path of a copy of a file in the archive for an architecture.
func unpacked(t *testing.T, arch, name string, mode os.FileMode) string {
	t.Helper()
	f, err := os.Open(only(t, "floaty_*_linux_"+arch+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	contents, _ := members(t, zipped, strings.TrimSuffix(filepath.Base(f.Name()), ".tar.gz")+"/")
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, []byte(contents[name]), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheProgramsRun(t *testing.T) {
	commit, err := output(t.Context(), ".", "git", "rev-parse", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	for arch, emulator := range map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"} {
		call := []string{programOf(t, arch), "--version"}
		if exec.CommandContext(t.Context(), call[0], call[1]).Run() != nil {
			if _, err := exec.LookPath(emulator); err != nil {
				t.Errorf("%s does not run here, and %s is not installed: hack/packaging/install-tools does that", arch, emulator)
				continue
			}
			call = append([]string{emulator}, call...)
		}
		if got, err := output(t.Context(), ".", call[0], call[1:]...); err != nil || !strings.Contains(got, "commit "+commit+",") {
			t.Errorf("%v: got %q, %v; want the commit %s, unmodified", call, got, err, commit)
		}
	}
}

func TestTheChecksumsAreRight(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 10 {
		t.Errorf("%d files in %s, want 10: 8 packages and archives, the SPDX document and the checksums", len(entries), dist)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dist, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%x  %s\n", sha256.Sum256(content), entry.Name()); entry.Name() != "SHA256SUMS" && !strings.Contains(string(sums), want) {
			t.Errorf("SHA256SUMS does not contain %q", want)
		}
	}
}

// The same commit, cloned into another directory and built there, gives the same bytes.
func TestTheSameCommitGivesTheSameBytes(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "another folder")
	if _, err := output(t.Context(), ".", "git", "clone", "--quiet", "../..", clone); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "hack/package")
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "TZ=Pacific/Auckland", "GOFLAGS=-tags=somebody", "SOURCE_DATE_EPOCH=1", "USER=somebody")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("hack/package in %s: %v\n%s", clone, err, out)
	}
	want, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(clone, ".cache", "dist", "SHA256SUMS")); !bytes.Equal(got, want) {
		t.Errorf("got, %v,\n%swant\n%s", err, got, want)
	}
}

func TestVersionsAreCheckedAndTranslated(t *testing.T) {
	for version, wanted := range map[string]string{"1.2.3": "1.2.3", "1.2.3~rc1": "1.2.3_rc1", "0.0.0~git20261129": "0.0.0_git20261129", "1.2.3+git20261129": "1.2.3_p20261129"} {
		if _, err := checkVersion(version); err != nil {
			t.Errorf("%s is refused: %v", version, err)
		}
		if got := apkVersion(version); got != wanted {
			t.Errorf("Alpine's %s: got %s, want %s", version, got, wanted)
		}
	}
	for _, version := range []string{"", "1", "1.2", "1.2.3-rc1", "1.2.3 ", "v1.2.3", "1.2.3~", "1.2.3~x", "../1.2.3"} {
		if _, err := checkVersion(version); err == nil {
			t.Errorf("%q is accepted as a version, want an error", version)
		}
	}
}
