package main

import "testing"

// In a container, or with another init, nothing runs that could make the user, the directory and the FIFO: the package does.
func TestInstalledWithoutARunningSystemd(t *testing.T) {
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
					"dpkg -i " + deb + " >/dev/null 2>&1\n" + // once more: nothing is there twice, nothing fails
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
