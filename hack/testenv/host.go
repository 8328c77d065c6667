package testenv

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"floaty/desired/keepalived"
)

// A Host is one server of the cloud.
type Host struct {
	Name string
	UUID string // of the server
	Addr string // source address of its requests, where hosts are network namespaces
	FIFO string
	Dir  string

	env        *Env
	space      string // network namespace
	port       string // on the bridge
	keepalived *process
	floaty     *process   // the one that was started last
	floaties   []*process // all that have been started
	fifo       *os.File   // open for writing after the first Say
}

// AddHost adds a host, and a server of that name to the cloud.
func (s *Env) AddHost(ctx context.Context, name string) (*Host, error) {
	n := len(s.hosts) + 1
	h := &Host{
		Name: name, UUID: strings.NewReplacer("N", strconv.Itoa(n)).Replace("NNNNNNNN-NNNN-4NNN-8NNN-NNNNNNNNNNNN"),
		Addr: fmt.Sprintf("10.99.0.%d", n), Dir: filepath.Join(s.Dir, name), env: s,
		space: s.name + "-" + name, port: fmt.Sprintf("p%d", n),
	}
	h.FIFO = filepath.Join(h.Dir, "keepalived.fifo")
	s.Cloud.AddServer(h.UUID, name)
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		return nil, err
	}
	if s.real {
		err := ip(ctx,
			"netns add "+h.space,
			"-n "+h.space+" link set lo up",
			"-n "+s.name+" link add "+h.port+" type veth peer name eth0 netns "+h.space,
			"-n "+s.name+" link set "+h.port+" master br0 up",
			"-n "+h.space+" addr add "+h.Addr+"/24 dev eth0",
			"-n "+h.space+" link set eth0 up",
		)
		if err != nil {
			return nil, err
		}
	}
	s.hosts = append(s.hosts, h)
	return h, nil
}

// Space returns the name of the host's network namespace.
func (h *Host) Space() string { return h.space }

// Path returns the path of one of the host's files.
func (h *Host) Path(name string) string { return filepath.Join(h.Dir, name) }

// Configure replaces one of the host's files in one step: it writes a new file and renames it.
func (h *Host) Configure(name, text string) error {
	fresh := h.Path(name + ".new")
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, h.Path(name))
}

// Floaty returns a floaty.yml for the host at cloudscale.ch, with intervals short enough for tests.
func (h *Host) Floaty() string {
	return fmt.Sprintf("provider: cloudscale\ncloudscale: {endpoint: %q, token: %s, server-uuid: %s}\n", h.env.URL, Token, h.UUID) + h.common()
}

// FloatyAtExoscale returns the same for Exoscale.
func (h *Host) FloatyAtExoscale() string {
	return fmt.Sprintf("provider: exoscale\nexoscale: {endpoint: %q, key: %s, secret: %s, instance-id: %s}\n",
		h.env.URL+"/v2", Key, Secret, h.UUID) + h.common()
}

func (h *Host) common() string {
	return fmt.Sprintf(`keepalived-config: %s
keepalived-pid-file: %s
state-dir: %s
lock-file-template: %s
refresh-interval: 2s
back-off: {initial-interval: 200ms, max-interval: 1s}
`, h.Path("keepalived.conf"), h.Path("vrrp.pid"), h.Path("state"), h.Path("%s.lock"))
}

// Keepalived returns a keepalived.conf for the host. The text in more becomes part of its instance. VIPs of a different family
// than the first become virtual_ipaddress_excluded, where Keepalived permits both families.
func (h *Host) Keepalived(priority int, more string, vips ...netip.Addr) string {
	var list, excluded strings.Builder
	for _, vip := range vips {
		to := &list
		if vip.BitLen() != vips[0].BitLen() {
			to = &excluded
		}
		fmt.Fprintf(to, "        %s\n", vip)
	}
	return fmt.Sprintf(`global_defs {
    router_id %s
    script_user root
    enable_script_security
    vrrp_version 3
    vrrp_notify_fifo %s
}
vrrp_script slow {
    script "%s 2"
    interval 10
    timeout 5
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority %d
    advert_int 0.2
    virtual_ipaddress {
%s    }
    virtual_ipaddress_excluded {
%s    }
%s
}
`, h.Name, h.FIFO, realPath("sleep"), priority, list.String(), excluded.String(), more)
}

// realPath returns a program's path without symbolic links: since 2.3.0, Keepalived refuses to run a script as root if its path
// contains one (/bin is one on most machines).
func realPath(program string) string {
	path, err := exec.LookPath(program)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return program // Keepalived reports what is wrong
	}
	return path
}

// KeepalivedProgram returns the Keepalived to test with: $KEEPALIVED, or else the installed one.
func KeepalivedProgram() string { return cmp.Or(os.Getenv("KEEPALIVED"), "keepalived") }

// StartKeepalived starts Keepalived with the host's keepalived.conf.
func (h *Host) StartKeepalived() error {
	// -P leaves out the checkers. Each host has pid files of its own. Since 2.3.2, Keepalived also locks the pid file of BFD, which not
	// every build has an option for, so each host gets a /run of its own as well, with only the network namespaces in it:
	// "ip netns exec" gives each process its own mounts.
	const prepare = `exec 3</run/netns && mount -t tmpfs tmpfs /run && mkdir /run/netns &&
		mount -c --rbind /proc/self/fd/3 /run/netns && exec 3<&- && exec "$@"`
	cmd, err := h.start("keepalived.log", "sh", "-c", prepare, "sh", KeepalivedProgram(), "-n", "-l", "-D", "-P", "-f", h.Path("keepalived.conf"),
		"-p", h.Path("keepalived.pid"), "-r", h.Path("vrrp.pid"))
	h.keepalived = cmd
	return err
}

// StopKeepalived sends SIGTERM to Keepalived and waits until it has ended.
func (h *Host) StopKeepalived() {
	h.keepalived.stop(syscall.SIGTERM)
	h.keepalived = nil
}

// KillKeepalived kills both processes of Keepalived, so that neither can write a last event.
func (h *Host) KillKeepalived() {
	if h.keepalived == nil {
		return
	}
	vrrp, err := h.vrrp()
	if err == nil {
		_ = unix.Kill(vrrp, unix.SIGSTOP) // otherwise it writes STOP when its parent dies
	}
	h.keepalived.stop(syscall.SIGKILL)
	if err == nil {
		_ = unix.Kill(vrrp, unix.SIGKILL)
		// A starting Keepalived takes the process in the pid file for a running daemon until init has reaped it.
		for deadline := time.Now().Add(2 * time.Second); unix.Kill(vrrp, 0) == nil && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	h.keepalived = nil
}

// KillVRRP kills only Keepalived's VRRP process; its parent starts a new one.
func (h *Host) KillVRRP() error {
	pid, err := h.vrrp()
	if err != nil {
		return err
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// ReloadKeepalived sends SIGHUP to Keepalived.
func (h *Host) ReloadKeepalived() error { return h.keepalived.cmd.Process.Signal(syscall.SIGHUP) }

// vrrp returns the pid of Keepalived's VRRP process.
func (h *Host) vrrp() (int, error) {
	text, err := os.ReadFile(h.Path("vrrp.pid"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, err
	}
	if !keepalived.IsKeepalived(pid) {
		return pid, fmt.Errorf("process %d is not keepalived", pid)
	}
	return pid, nil
}

// HasAddress reports whether Keepalived has added addr, an IPv4 address, to an interface. It does so right before it writes MASTER.
func (h *Host) HasAddress(addr netip.Addr) bool {
	pid, err := h.vrrp()
	if err != nil {
		return false
	}
	routes, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/fib_trie", pid))
	return err == nil && strings.Contains(string(routes), "|-- "+addr.String()+"\n")
}

// DropAddress removes addr from the interface, as a crash of the machine does; a killed Keepalived leaves it there.
func (h *Host) DropAddress(ctx context.Context, addr netip.Addr) error {
	return ip(ctx, "-n "+h.space+" addr del "+netip.PrefixFrom(addr, addr.BitLen()).String()+" dev eth0")
}

// StartFloaty starts the daemon with the host's floaty.yml, or floaty with args if there are any.
func (h *Host) StartFloaty(args ...string) error {
	if len(args) == 0 {
		args = []string{"--fifo", h.Path("floaty.yml"), h.FIFO}
	}
	p, err := h.start("floaty.log", h.env.program, args...)
	if err != nil {
		return err
	}
	h.floaty = p
	h.floaties = append(h.floaties, p)
	return nil
}

// StopFloaty sends SIGTERM to floaty and waits until it has ended.
func (h *Host) StopFloaty() {
	h.floaty.stop(syscall.SIGTERM)
	h.floaty = nil
}

// FloatyPID returns the process ID of the floaty started last.
func (h *Host) FloatyPID() int { return h.floaty.cmd.Process.Pid }

// FloatyEnded returns a channel that is closed once the floaty started last has ended.
func (h *Host) FloatyEnded() <-chan struct{} { return h.floaty.done }

// FloatyStatus returns the exit status of the floaty started last, which must have ended.
func (h *Host) FloatyStatus() int { return h.floaty.cmd.ProcessState.ExitCode() }

// HangUpFloaty sends SIGHUP to floaty.
func (h *Host) HangUpFloaty() error { return h.floaty.cmd.Process.Signal(syscall.SIGHUP) }

// KillFloaty kills floaty and waits until it has ended.
func (h *Host) KillFloaty() {
	h.floaty.stop(syscall.SIGKILL)
	h.floaty = nil
}

// Running returns the process IDs of all floaty processes on the host, also of those that Keepalived started.
func (h *Host) Running(ctx context.Context) ([]int, error) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "pids", h.space).Output() //nolint:gosec // no foreign input
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == h.env.program {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// clear kills every floaty on the host, also those that Keepalived started, and waits until they have ended.
func (h *Host) clear() error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		pids, err := h.Running(context.Background())
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("still running on %s: %v", h.Name, pids)
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// Isolate keeps packets from passing between isolated hosts. All of them still reach the cloud.
func (h *Host) Isolate(ctx context.Context, on bool) error {
	state := "off"
	if on {
		state = "on"
	}
	return output(exec.CommandContext(ctx, "bridge", "-n", h.env.name, "link", "set", "dev", h.port, "isolated", state)) //nolint:gosec // no foreign input
}

// Say writes lines into the FIFO, as Keepalived does: the FIFO is opened for reading as well, so that lines stay in it until they
// are read, and it stays open until CloseFIFO.
func (h *Host) Say(lines ...string) error {
	if h.fifo == nil {
		f, err := os.OpenFile(h.FIFO, os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		h.fifo = f
	}
	_, err := h.fifo.WriteString(strings.Join(lines, "\n") + "\n")
	return err
}

// CloseFIFO closes the FIFO, as Keepalived does when it ends.
func (h *Host) CloseFIFO() {
	if h.fifo != nil {
		_ = h.fifo.Close()
		h.fifo = nil
	}
}

// Log returns everything that floaty has logged on the host.
func (h *Host) Log() string {
	text, err := os.ReadFile(h.Path("floaty.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// start runs a command on the host. Its output is appended to one of the host's files.
func (h *Host) start(log, name string, args ...string) (*process, error) {
	if h.env.real {
		args = append([]string{"netns", "exec", h.space, name}, args...)
		name = "ip"
	}
	out, err := os.OpenFile(h.Path(log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()                  //nolint:errcheck // the command has its own copy
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // no foreign input; ended by stop
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // its status is in cmd
	}()
	return p, nil
}

// A process is a command that was started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// stop sends a signal and waits until the process has ended; after 5 s it is killed.
func (p *process) stop(signal os.Signal) {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
