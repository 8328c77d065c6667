package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A tree is the root directory of a fresh Debian system, with a writable layer over it.
type tree struct {
	*testing.T
	suite, root string
}

// newTree creates a tree, which is removed at the end of the test.
func newTree(t *testing.T, suite string) *tree {
	t.Helper()
	fresh, err := output(t.Context(), ".", "./tree", suite)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tr := &tree{t, suite, filepath.Join(dir, "root")}
	for _, name := range []string{"upper", "work", "root"} {
		tr.must(os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	tr.must(unix.Mount("overlay", tr.root, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", fresh, dir, dir)))
	t.Cleanup(func() {
		if err := unix.Unmount(tr.root, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", tr.root, err)
		}
	})
	return tr
}

func (t *tree) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a file in the tree, owned by root.
func (t *tree) write(path, text string) {
	t.Helper()
	t.must(os.WriteFile(filepath.Join(t.root, path), []byte(text), 0o644))
}

// provide copies a file into the tree and returns its path there.
func (t *tree) provide(path, name string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	t.must(err)
	t.write(filepath.Join("root", name), string(content))
	return "/root/" + name
}

// chroot runs a script in the tree, which is not booted.
func (t *tree) chroot(script string) (string, error) {
	return shell(t.Context(), []string{"chroot", t.root}, script)
}

// A machine is a tree that boots with its own systemd, in a network namespace.
type machine struct {
	*tree
	name   string
	space  string // the network namespace
	nspawn *exec.Cmd
	ended  chan struct{}
	leader string // the process ID of its systemd
}

// newMachine prepares a machine that is not booted yet.
func newMachine(t *testing.T, suite, name, space string) *machine {
	t.Helper()
	m := &machine{tree: newTree(t, suite), name: name, space: space}
	m.write("etc/hostname", name+"\n")
	for _, unit := range []string{"systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service"} { // the test has configured the network already
		m.must(os.Symlink("/dev/null", filepath.Join(m.root, "etc/systemd/system", unit)))
	}
	return m
}

// boot starts the machine and waits until it has started.
func (m *machine) boot() {
	m.Helper()
	m.nspawn = exec.Command("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--network-namespace-path=/run/netns/"+m.space,
		"--capability=CAP_NET_ADMIN", "--directory="+m.root, "--machine="+m.space)
	m.nspawn.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1") // the systemd of Debian 13 supports no other
	m.nspawn.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	console := filepath.Join(filepath.Dir(m.root), "console")
	out, err := os.Create(console)
	m.must(err)
	m.nspawn.Stdout, m.nspawn.Stderr = out, out
	m.must(m.nspawn.Start())
	m.must(out.Close())
	m.ended = make(chan struct{})
	go func() {
		defer close(m.ended)
		_ = m.nspawn.Wait() // only its end matters, not its status
	}()
	m.Cleanup(m.halt)
	m.eventually("it has started", 60*time.Second, func() error {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", m.nspawn.Process.Pid, m.nspawn.Process.Pid))
		if m.leader = strings.TrimSpace(string(children)); err != nil || m.leader == "" {
			said, _ := os.ReadFile(console)
			return fmt.Errorf("nspawn has no child: %w; its console:\n%s", err, said)
		}
		state, err := m.run("systemctl is-system-running")
		if state = strings.TrimSpace(state); state != "running" && state != "degraded" {
			return fmt.Errorf("systemctl is-system-running prints %q, %w", state, err)
		}
		return nil
	})
}

// halt shuts the machine down; if that takes longer than 20 s, the test fails and the machine is killed.
func (m *machine) halt() {
	if m.nspawn == nil {
		return
	}
	_ = m.nspawn.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.ended:
	case <-time.After(20 * time.Second):
		m.Errorf("%s does not shut down", m.name)
		_ = m.nspawn.Process.Kill()
		<-m.ended
	}
	m.nspawn = nil
}

// run runs a script on the machine and returns what it prints.
func (m *machine) run(script string) (string, error) {
	return shell(context.WithoutCancel(m.Context()), []string{"nsenter", "--target", m.leader, "--all"}, script)
}

// do runs a script that must succeed.
func (m *machine) do(script string) string {
	m.Helper()
	out, err := m.run(script)
	if err != nil {
		m.Fatalf("%s: %v", m.name, err)
	}
	return out
}

// property returns a property of floaty's unit, such as ActiveState.
func (m *machine) property(name string) string {
	m.Helper()
	return strings.TrimSpace(m.do("systemctl show --value --property=" + name + " floaty"))
}

// journal returns the log of floaty and Keepalived, and systemd's lines about them.
func (m *machine) journal() string {
	out, err := m.run("journalctl --no-pager --output=short-monotonic --unit=floaty --unit=keepalived")
	if err != nil {
		return err.Error()
	}
	return out
}

// eventually waits until a check passes.
func (t *tree) eventually(what string, within time.Duration, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %s: %v", t.suite, within, what, err)
		}
	}
}

// shell runs a script with the command prefix, which enters a tree or a machine. The error includes the output.
func shell(ctx context.Context, prefix []string, script string) (string, error) {
	args := append(prefix[1:], "/bin/sh", "-ec", script)
	cmd := exec.CommandContext(ctx, prefix[0], args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "HOME=/root"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", script, err, out)
	}
	return string(out), err
}

// clientIn returns an HTTP client that dials in a network namespace and trusts a certificate.
func clientIn(space string, cert []byte) *http.Client {
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(cert)
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			type dialled struct {
				conn net.Conn
				err  error
			}
			result := make(chan dialled, 1)
			go func() {
				runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
				fd, err := unix.Open("/run/netns/"+space, unix.O_RDONLY|unix.O_CLOEXEC, 0)
				if err == nil {
					err = errors.Join(unix.Setns(fd, unix.CLONE_NEWNET), unix.Close(fd))
				}
				if err != nil {
					result <- dialled{nil, err}
					return
				}
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				result <- dialled{conn, err}
			}()
			r := <-result
			return r.conn, r.err
		},
	}}
}
