package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// In a container, or with another init system, no systemd runs that could create the user, the directory and the FIFO, so the package
// does it.
func TestThePackageWorksWithoutARunningSystemd(t *testing.T) {
	needRoot(t)
	_, current := debs(t)
	for name, prepare := range map[string]string{
		"with systemd's programs": "true",
		"without them":            "rm $(command -v systemd-sysusers) $(command -v systemd-tmpfiles)",
	} {
		for _, suite := range []string{"bookworm", "trixie"} {
			t.Run(suite+" "+name, func(t *testing.T) {
				tr := newTree(t, suite)
				deb := tr.provide(current, "floaty.deb")
				out, err := tr.chroot(prepare + "\ndpkg -i " + deb + " >/dev/null 2>&1\n" +
					"floaty --version >/dev/null\n" +
					"stat -c '%n %a %U:%G %F' /run/floaty /run/floaty/keepalived.fifo\n" +
					"getent passwd floaty | cut -d: -f6,7\n" +
					"dpkg -i " + deb + " >/dev/null 2>&1\n" + // a second installation creates nothing twice, and succeeds
					"dpkg --purge floaty >/dev/null 2>&1\n" +
					"test ! -e /run/floaty && getent passwd floaty >/dev/null && echo purged")
				want := "/run/floaty 750 floaty:floaty directory\n/run/floaty/keepalived.fifo 600 floaty:floaty fifo\n/run/floaty:/usr/sbin/nologin\npurged\n"
				if err != nil || out != want {
					t.Errorf("got %q, %v; want %q", out, err, want)
				}
			})
		}
	}
}

// The rpm's scripts run in a system of Debian, with the arguments that rpm passes to them. Only the packages that it requires are missing
// there.
func TestTheRPMIsInstalledUpgradedAndErased(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("rpm is not installed: hack/packaging/install-tools does that")
	}
	tr := newTree(t, "bookworm")
	rpm := func(args ...string) {
		t.Helper()
		if _, err := output(t.Context(), ".", "rpm", append([]string{"--root", tr.root, "--dbpath", "/var/lib/rpm", "--nodeps", "--nosignature"}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	current, err := filepath.Abs(only(t, "floaty_*_x86_64.rpm"))
	tr.must(err)
	const made = "stat -c '%n %a %U:%G %F %i' /run/floaty /run/floaty/keepalived.fifo && floaty --version >/dev/null && getent passwd floaty"
	rpm("--install", lower(t, "floaty.rpm"))
	installed, err := tr.chroot(made)
	if err != nil {
		t.Fatal(err)
	}
	rpm("--upgrade", current)
	if upgraded, err := tr.chroot(made); err != nil || upgraded != installed {
		t.Errorf("after the upgrade got %q, %v; want %q as before", upgraded, err, installed)
	}
	rpm("--verify", "floaty")
	rpm("--erase", "floaty")
	if out, err := tr.chroot("test ! -e /usr/sbin/floaty && test ! -e /usr/lib/systemd/system/floaty.service && getent passwd floaty"); err != nil {
		t.Errorf("after the removal: %q, %v", out, err)
	}
}
