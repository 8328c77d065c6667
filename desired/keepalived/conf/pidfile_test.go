package conf

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startKeepalived creates a network namespace ns1, starts Keepalived, and prints the path of the pid file of its VRRP process.
const startKeepalived = `mount -t proc proc /proc && mount -t tmpfs tmpfs /run && ip link set lo up && ip netns add ns1 &&
for where in "" "ip netns exec ns1"; do
	$where ip link add eth0 type veth peer name eth1; $where ip link set eth0 up; $where ip link set eth1 up; $where ip addr add 10.9.9.1/24 dev eth0
done
keepalived -n -l -P -f "$1" >/run/log 2>&1 &
for i in $(seq 200); do
	sleep 0.05
	found=$(find /run -name "vrrp*.pid")
	[ -z "$found" ] || { echo "$found"; exit 0; }
done
cat /run/log`

func TestThePIDFileIsWhereKeepalivedItselfWritesIt(t *testing.T) {
	for settings, want := range map[string]string{
		"":                                     "/run/vrrp.pid",
		"use_pid_dir\n":                        "/run/keepalived/vrrp.pid",
		"instance one\n":                       "/run/keepalived/vrrp_one.pid",
		"instance one two\ninstance three\n":   "/run/keepalived/vrrp_one.pid",
		"net_namespace ns1\n":                  "/run/keepalived/ns1/vrrp.pid",
		"net_namespace ns1\ninstance one\n":    "/run/keepalived/ns1/vrrp_one.pid",
		"global_defs {\n instance one\n}\n":    "/run/vrrp.pid",
		"@other instance one\nuse_pid_dir x\n": "/run/keepalived/vrrp.pid",
	} {
		t.Run(strings.ReplaceAll(settings, "\n", ";"), func(t *testing.T) {
			t.Parallel()
			path := write(t, t.TempDir(), "k.conf", settings+vi("10.9.9.9"))
			got, err := Parse(path, Options{ID: hostID})
			if err != nil {
				t.Fatal(err)
			}
			if got.PIDFile() != want {
				t.Errorf("got %s, want %s", got.PIDFile(), want)
			}
			if os.Getuid() != 0 {
				return // Keepalived cannot have namespaces of its own
			}
			if _, err := exec.LookPath("keepalived"); err != nil {
				return
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", startKeepalived, "sh", path) //nolint:gosec // our own script
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:   syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, // the end of the first process ends all others
				Unshareflags: syscall.CLONE_NEWNS,                                               // mounts made there stay there
				Pdeathsig:    syscall.SIGKILL,
			}
			late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
			defer late.Stop()
			out, err := cmd.Output()
			if printed := strings.TrimSpace(string(out)); err != nil || printed != want {
				t.Errorf("Keepalived: got %q, %v, want %s", printed, err, want)
			}
		})
	}
}
