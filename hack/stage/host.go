package stage

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
	Addr string // of a namespace, from which its calls come
	FIFO string
	Dir  string

	stage      *Stage
	space      string // network namespace
	port       string // on the bridge
	keepalived *process
	floaty     *process   // the one that was started last
	floaties   []*process // all of them
	fifo       *os.File   // open for writing, if anything was said
}

// AddHost makes the n-th host, from 1; the cloud then has it as a server.
func (s *Stage) AddHost(ctx context.Context, name string) (*Host, error) {
	n := len(s.hosts) + 1
	h := &Host{
		Name: name, UUID: strings.NewReplacer("N", strconv.Itoa(n)).Replace("NNNNNNNN-NNNN-4NNN-8NNN-NNNNNNNNNNNN"),
		Addr: fmt.Sprintf("10.99.0.%d", n), Dir: filepath.Join(s.Dir, name), stage: s,
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

// Configure writes a file of the host by renaming it into place.
func (h *Host) Configure(name, text string) error {
	fresh := h.Path(name + ".new")
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, h.Path(name))
}

// Floaty is a configuration of floaty for the host at cloudscale.ch, fast enough to watch.
func (h *Host) Floaty() string {
	return fmt.Sprintf("provider: cloudscale\ncloudscale: {endpoint: %q, token: %s, server-uuid: %s}\n", h.stage.URL, Token, h.UUID) + h.common()
}

// FloatyAtExoscale is the same at Exoscale.
func (h *Host) FloatyAtExoscale() string {
	return fmt.Sprintf("provider: exoscale\nexoscale: {endpoint: %q, key: %s, secret: %s, instance-id: %s}\n",
		h.stage.URL+"/v2", Key, Secret, h.UUID) + h.common()
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

// Keepalived is a configuration of Keepalived for the host; more goes into its instance. VIPs of another family than the
// first go where Keepalived lets them mix.
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

// realPath returns where a program is, without symbolic links: from 2.3.0 on, Keepalived runs no script as root whose path has one
// (/bin is one on most machines).
func realPath(program string) string {
	path, err := exec.LookPath(program)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return program // and Keepalived says what is wrong
	}
	return path
}

// KeepalivedProgram is Keepalived: what KEEPALIVED names in the environment, or the one that is installed.
func KeepalivedProgram() string { return cmp.Or(os.Getenv("KEEPALIVED"), "keepalived") }

// StartKeepalived starts it with the host's keepalived.conf.
func (h *Host) StartKeepalived() error {
	// -P leaves out the checkers. The pid files are the host's own; from 2.3.2 on Keepalived locks also that of BFD, which has no
	// option in every build, so that /run is the host's own, too, but for the namespaces: "ip netns exec" gives each process its own mounts.
	const prepare = `exec 3</run/netns && mount -t tmpfs tmpfs /run && mkdir /run/netns &&
		mount -c --rbind /proc/self/fd/3 /run/netns && exec 3<&- && exec "$@"`
	cmd, err := h.start("keepalived.log", "sh", "-c", prepare, "sh", KeepalivedProgram(), "-n", "-l", "-D", "-P", "-f", h.Path("keepalived.conf"),
		"-p", h.Path("keepalived.pid"), "-r", h.Path("vrrp.pid"))
	h.keepalived = cmd
	return err
}

// StopKeepalived ends it in an orderly way and waits until it has gone.
func (h *Host) StopKeepalived() {
	h.keepalived.stop(syscall.SIGTERM)
	h.keepalived = nil
}

// KillKeepalived ends both its processes at once, without a chance to say anything.
func (h *Host) KillKeepalived() {
	if h.keepalived == nil {
		return
	}
	vrrp, err := h.vrrp()
	if err == nil {
		_ = unix.Kill(vrrp, unix.SIGSTOP) // it would say STOP when its parent dies
	}
	h.keepalived.stop(syscall.SIGKILL)
	if err == nil {
		_ = unix.Kill(vrrp, unix.SIGKILL)
		// Keepalived takes a pid file's process for a running daemon until init has buried it.
		for deadline := time.Now().Add(2 * time.Second); unix.Kill(vrrp, 0) == nil && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	h.keepalived = nil
}

// KillVRRP ends only Keepalived's VRRP process; its parent starts another one.
func (h *Host) KillVRRP() error {
	pid, err := h.vrrp()
	if err != nil {
		return err
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// ReloadKeepalived sends SIGHUP.
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
		return pid, fmt.Errorf("process %d is no keepalived", pid)
	}
	return pid, nil
}

// HasAddress reports whether Keepalived has put addr, an IPv4 address, on an interface: right before it says MASTER.
func (h *Host) HasAddress(addr netip.Addr) bool {
	pid, err := h.vrrp()
	if err != nil {
		return false
	}
	routes, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/fib_trie", pid))
	return err == nil && strings.Contains(string(routes), "|-- "+addr.String()+"\n")
}

// DropAddress takes addr off the interface, as a machine's end does and Keepalived's does not.
func (h *Host) DropAddress(ctx context.Context, addr netip.Addr) error {
	return ip(ctx, "-n "+h.space+" addr del "+netip.PrefixFrom(addr, addr.BitLen()).String()+" dev eth0")
}

// StartFloaty starts the daemon, or what args say instead, with the host's floaty.yml.
func (h *Host) StartFloaty(args ...string) error {
	if len(args) == 0 {
		args = []string{"--fifo", h.Path("floaty.yml"), h.FIFO}
	}
	p, err := h.start("floaty.log", h.stage.program, args...)
	if err != nil {
		return err
	}
	h.floaty = p
	h.floaties = append(h.floaties, p)
	return nil
}

// StopFloaty ends it in an orderly way and waits until it has gone.
func (h *Host) StopFloaty() {
	h.floaty.stop(syscall.SIGTERM)
	h.floaty = nil
}

// FloatyPID returns the process ID of the floaty that was started last.
func (h *Host) FloatyPID() int { return h.floaty.cmd.Process.Pid }

// FloatyEnded returns a channel that is closed when the floaty that was started last has ended.
func (h *Host) FloatyEnded() <-chan struct{} { return h.floaty.done }

// FloatyStatus returns the exit status of the floaty that was started last, after its end.
func (h *Host) FloatyStatus() int { return h.floaty.cmd.ProcessState.ExitCode() }

// HangUpFloaty sends SIGHUP.
func (h *Host) HangUpFloaty() error { return h.floaty.cmd.Process.Signal(syscall.SIGHUP) }

// KillFloaty ends it at once.
func (h *Host) KillFloaty() {
	h.floaty.stop(syscall.SIGKILL)
	h.floaty = nil
}

// Running returns the process IDs of floaty on the host, whoever started it.
func (h *Host) Running(ctx context.Context) ([]int, error) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "pids", h.space).Output() //nolint:gosec // our own words
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == h.stage.program {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// clear ends every floaty on the host that Keepalived has started, and waits until they have gone.
func (h *Host) clear() error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		pids, err := h.Running(context.Background())
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("on %s still run %v", h.Name, pids)
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// Isolate cuts the host's line to the other hosts that are isolated, but not that to the cloud.
func (h *Host) Isolate(ctx context.Context, on bool) error {
	state := "off"
	if on {
		state = "on"
	}
	return output(exec.CommandContext(ctx, "bridge", "-n", h.stage.name, "link", "set", "dev", h.port, "isolated", state)) //nolint:gosec // our own words
}

// Say writes lines into the FIFO, as Keepalived would: it is opened for reading as well, so that they wait for a reader,
// and it stays open until Hush.
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

// Hush closes the FIFO, as Keepalived does when it ends.
func (h *Host) Hush() {
	if h.fifo != nil {
		_ = h.fifo.Close()
		h.fifo = nil
	}
}

// Log returns what floaty has logged on the host.
func (h *Host) Log() string {
	text, err := os.ReadFile(h.Path("floaty.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// start runs a command on the host; what it says is added to a file of the host.
func (h *Host) start(log, name string, args ...string) (*process, error) {
	if h.stage.real {
		args = append([]string{"netns", "exec", h.space, name}, args...)
		name = "ip"
	}
	out, err := os.OpenFile(h.Path(log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()                  //nolint:errcheck // the command has its own copy
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // our own words; ended by stop
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

// A process is one that was started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// stop signals a process and waits until it has gone; after 5 s it is killed.
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
