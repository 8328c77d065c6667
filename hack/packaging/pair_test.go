package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	floating = "198.51.100.7"
	uuid1    = "11111111-1111-4111-8111-111111111111" // of lb1, as in the examples
	uuid2    = "22222222-2222-4222-8222-222222222222" // of lb2
	stranger = "99999999-9999-4999-8999-999999999999"
)

// A pair is two hosts, one on Debian 12 and one on Debian 13, and a simulated cloud.
type pair struct {
	*testing.T
	lb1, lb2 *machine
	cloud    *http.Client
	cert     []byte // the cloud's, in PEM
}

// newPair boots both hosts. Neither has floaty yet.
func newPair(t *testing.T) *pair {
	t.Helper()
	one, two := fmt.Sprintf("floaty-lb1-%d", os.Getpid()), fmt.Sprintf("floaty-lb2-%d", os.Getpid())
	for _, call := range []string{
		"netns add " + one, "netns add " + two,
		"-n " + one + " link add eth0 type veth peer name eth0 netns " + two,
		"-n " + one + " addr add 192.0.2.11/24 dev eth0", "-n " + two + " addr add 192.0.2.12/24 dev eth0",
		"-n " + one + " link set eth0 up", "-n " + two + " link set eth0 up",
		"-n " + one + " link set lo up", "-n " + two + " link set lo up",
	} {
		if _, err := output(t.Context(), ".", "ip", strings.Fields(call)...); err != nil {
			t.Fatal(err)
		}
		if name, ok := strings.CutPrefix(call, "netns add "); ok {
			t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
		}
	}
	p := &pair{T: t}
	p.startCloud(one)
	p.lb1, p.lb2 = newMachine(t, "bookworm", "lb1", one), newMachine(t, "trixie", "lb2", two)
	p.lb1.boot()
	p.lb2.boot()
	return p
}

// startCloud starts cloudsim at an address that both hosts reach. The floating IP points at another server.
func (p *pair) startCloud(space string) {
	p.Helper()
	program := buildCloudsim(p.T)
	cert := program + ".crt"
	cloud := exec.Command("ip", "netns", "exec", space, program, "--listen", "192.0.2.11:8080", "--tls", cert, "--token", "t", "--quiet",
		"--server", uuid1+"=lb1", "--server", uuid2+"=lb2", "--server", stranger+"=stranger", "--address", floating+"/32="+stranger)
	cloud.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cloud.Start(); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		_ = cloud.Process.Signal(syscall.SIGTERM)
		_ = cloud.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); len(p.cert) == 0; time.Sleep(10 * time.Millisecond) {
		if p.cert, _ = os.ReadFile(cert); time.Now().After(deadline) {
			p.Fatal("cloudsim has not written its certificate within 10 s")
		}
	}
	p.cloud = clientIn(space, p.cert)
}

// buildCloudsim builds the simulated cloud and returns the program's path.
func buildCloudsim(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "cloudsim")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/cloudsim")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building cloudsim: %v\n%s", err, out)
	}
	return program
}

// holder returns the server at which the address points.
func (p *pair) holder() (string, error) {
	response, err := p.cloud.Get("https://192.0.2.11:8080/sim/state")
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	var state struct {
		Addresses []struct {
			Address string   `json:"address"`
			Servers []string `json:"servers"`
		} `json:"addresses"`
	}
	if err := json.NewDecoder(response.Body).Decode(&state); err != nil {
		return "", err
	}
	for _, a := range state.Addresses {
		if a.Address == floating {
			return strings.Join(a.Servers, " "), nil
		}
	}
	return "", fmt.Errorf("the cloud has no address %s: %+v", floating, state)
}

// isAt waits until the address points at a host.
func (p *pair) isAt(m *machine, uuid string, within time.Duration) {
	p.Helper()
	began := time.Now()
	m.eventually("the address is at "+m.name, within, func() error {
		if at, err := p.holder(); err != nil || at != uuid {
			return fmt.Errorf("it is at %q, %w; the host's log is\n%s", at, err, m.journal())
		}
		return nil
	})
	p.Logf("the address is at %s after %v", m.name, time.Since(began).Round(10*time.Millisecond))
}

// steal moves the address to another server. If floaty on a host knows that it is MASTER, it moves the address back.
func (p *pair) steal() {
	p.Helper()
	body, err := json.Marshal(map[string]any{"address": floating, "servers": []string{stranger}})
	p.lb1.must(err)
	response, err := p.cloud.Post("https://192.0.2.11:8080/sim/move", "application/json", bytes.NewReader(body))
	p.lb1.must(err)
	if err := response.Body.Close(); err != nil || response.StatusCode >= 300 {
		p.Fatalf("moving the address: %s, %v", response.Status, err)
	}
}

// instance returns the vrrp_instance that a host has before floaty is installed: the one of the example, adapted to the host.
func instance(t *testing.T, lb1 bool) string {
	t.Helper()
	_, text, found := strings.Cut(example(t, "keepalived.conf"), "\nvrrp_instance")
	if !found {
		t.Fatal("the example of keepalived.conf has no vrrp_instance")
	}
	if !lb1 {
		text = strings.NewReplacer("priority 150", "priority 100", "192.0.2.11 ", "192.0.2.12 ", "192.0.2.12 ", "192.0.2.11 ").Replace(text)
	}
	return "\nvrrp_instance" + text
}

// atCloudsim returns a configuration for cloudscale.ch, changed to use the simulated cloud's endpoint and to refresh every second.
func atCloudsim(t *testing.T, text string) string {
	t.Helper()
	changed := strings.Replace(text, "\ncloudscale:\n", "\nrefresh-interval: 1s\ncloudscale:\n  endpoint: https://192.0.2.11:8080\n", 1)
	if changed == text {
		t.Fatalf("no section cloudscale in\n%s", text)
	}
	return changed
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// each runs a step on both hosts.
func (p *pair) each(step func(m *machine)) {
	for _, m := range []*machine{p.lb1, p.lb2} {
		step(m)
	}
}

// step runs one step of the test, and logs its name and how long it took.
func (p *pair) step(name string, run func()) {
	p.Helper()
	began := time.Now()
	p.Logf("step: %s", name)
	run()
	p.Logf("step: %s: %v", name, time.Since(began).Round(10*time.Millisecond))
}

// The package's life on two hosts: installation, configuration, a failover, an upgrade while MASTER, mistakes and accidents, and removal.
func TestThePackageWorksOnTwoHostsFromInstallationToRemoval(t *testing.T) {
	needRoot(t)
	old, current := debs(t)
	p := newPair(t)
	p.step("the lower version is installed, configured and started as the README describes", func() {
		p.each(func(m *machine) {
			m.write("usr/local/share/ca-certificates/cloudsim.crt", string(p.cert))
			m.do("update-ca-certificates")
			m.follow(old, instance(t, m == p.lb1))
			if got := m.property("User"); got != "floaty" {
				t.Errorf("%s: the service runs as %q, want floaty", m.name, got)
			}
		})
		p.isAt(p.lb1, uuid1, 20*time.Second)
		p.lb1.verify("MASTER")
		p.lb2.verify("BACKUP")
	})
	p.step("a failover and back", func() {
		p.lb1.do("systemctl stop keepalived")
		p.isAt(p.lb2, uuid2, 20*time.Second)
		p.lb1.do("systemctl start keepalived")
		p.isAt(p.lb1, uuid1, 20*time.Second)
	})
	p.step("an upgrade while MASTER keeps FIFO, states and configuration", func() {
		p.each(func(m *machine) {
			pid, fifo, config := m.property("MainPID"), m.do("stat -c %i /run/floaty/keepalived.fifo"), m.do("cat /etc/floaty.yml")
			m.do("apt-get install -y " + m.provide(current, "floaty.deb"))
			if got := m.property("ActiveState"); got != "active" || m.property("MainPID") == pid {
				t.Errorf("%s: after the upgrade the service is %s, with the process ID %s; want active, and no longer %s", m.name, got, m.property("MainPID"), pid)
			}
			if got := m.do("stat -c %i /run/floaty/keepalived.fifo"); got != fifo {
				t.Errorf("%s: the upgrade created a new FIFO", m.name)
			}
			if got := m.do("cat /etc/floaty.yml"); got != config {
				t.Errorf("%s: the upgrade changed the configuration to\n%s", m.name, got)
			}
		})
		p.steal()
		p.isAt(p.lb1, uuid1, 10*time.Second)
	})
	configuration := p.lb1.do("cat /etc/floaty.yml")
	p.step("a reload is checked first", func() {
		m := p.lb1
		m.write("etc/floaty.yml", "provider: [\n")
		if out, err := m.run("systemctl reload floaty"); err == nil {
			t.Errorf("an unusable configuration was reloaded: %s", out)
		}
		if got := m.property("ActiveState"); got != "active" {
			t.Errorf("after a refused reload the service is %s, want active", got)
		}
		m.write("etc/floaty.yml", configuration+"# edited\n")
		m.do("systemctl reload floaty")
		m.eventually("the reload has ended", 10*time.Second, func() error {
			if got := m.property("ActiveState"); got != "active" {
				return fmt.Errorf("the service is %s", got)
			}
			return nil
		})
	})
	p.step("with the documentation's drop-in, the log is JSON", func() {
		m := p.lb2
		m.do("mkdir -p /etc/systemd/system/floaty.service.d")
		m.write("etc/systemd/system/floaty.service.d/override.conf", onlyBlock(t, "--json-log", blocksOf(t, "hack/docs/monitoring.md", "Logs")).text)
		m.do("systemctl daemon-reload && systemctl restart floaty")
		if out := m.do("journalctl --no-pager --output=cat --unit=floaty _PID=" + m.property("MainPID")); !strings.HasPrefix(out, `{"level":"INFO"`) || !strings.Contains(out, `"floaty starts"`) {
			t.Errorf("the log is %q, want lines of JSON", out)
		}
		m.do("rm -r /etc/systemd/system/floaty.service.d && systemctl daemon-reload && systemctl restart floaty")
	})
	p.step("a start with a typo fails and is not repeated", func() {
		m := p.lb1
		m.write("etc/floaty.yml", "providr: cloudscale\n")
		if out, err := m.run("systemctl restart floaty"); err == nil {
			t.Errorf("floaty started with an unusable configuration: %s", out)
		}
		time.Sleep(3 * time.Second) // longer than RestartSec
		if state, status, restarts := m.property("ActiveState"), m.property("ExecMainStatus"), m.property("NRestarts"); state != "failed" || status != "1" || restarts != "0" {
			t.Errorf("the service is %s with status %s after %s restarts, want failed, 1 and 0", state, status, restarts)
		}
		m.write("etc/floaty.yml", configuration)
		m.do("systemctl restart floaty")
		p.steal()
		p.isAt(p.lb1, uuid1, 20*time.Second)
	})
	p.step("after a panic and after a hang, floaty is restarted and still MASTER", func() {
		m := p.lb1
		m.do("mkdir -p /etc/systemd/system/floaty.service.d && printf '[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n' >/etc/systemd/system/floaty.service.d/test.conf && systemctl daemon-reload && systemctl restart floaty")
		for i, kill := range []string{"QUIT", "STOP"} { // on SIGQUIT, Go's runtime exits with status 2, as after a panic
			m.do("kill -" + kill + " " + m.property("MainPID"))
			m.eventually("floaty is restarted after SIG"+kill, 20*time.Second, func() error {
				if state, restarts := m.property("ActiveState"), m.property("NRestarts"); state != "active" || restarts != fmt.Sprint(i+1) {
					return fmt.Errorf("the service is %s after %s restarts\n%s", state, restarts, m.journal())
				}
				return nil
			})
			p.steal()
			p.isAt(p.lb1, uuid1, 15*time.Second)
		}
		m.do("rm /etc/systemd/system/floaty.service.d/test.conf && systemctl daemon-reload && systemctl restart floaty")
	})
	p.step("a keepalived.conf that only root may read needs the drop-in", func() {
		m := p.lb1
		m.do("chmod 600 /etc/keepalived/keepalived.conf")
		if out, err := m.run("systemctl restart floaty"); err == nil {
			t.Errorf("floaty started although it may not read keepalived.conf: %s", out)
		}
		m.do("mkdir -p /etc/systemd/system/floaty.service.d && cp /usr/share/doc/floaty/examples/root-only-keepalived-conf.conf /etc/systemd/system/floaty.service.d/ && systemctl daemon-reload && systemctl restart floaty")
		p.steal()
		p.isAt(p.lb1, uuid1, 15*time.Second)
		m.checkUnit(2.0)
		m.do("chmod 644 /etc/keepalived/keepalived.conf && rm -r /etc/systemd/system/floaty.service.d && systemctl daemon-reload && systemctl restart floaty")
		p.each(func(m *machine) { m.checkUnit(1.7) })
	})
	p.step("after a boot floaty is ready before Keepalived starts", func() {
		m := p.lb1
		m.halt()
		p.isAt(p.lb2, uuid2, 20*time.Second)
		m.boot()
		p.isAt(p.lb1, uuid1, 30*time.Second)
		journal := m.do("journalctl --boot --no-pager --output=cat --unit=floaty --unit=keepalived")
		ready, starting := strings.Index(journal, "Started floaty.service"), strings.Index(journal, "Starting keepalived.service")
		if ready < 0 || starting < 0 || ready > starting {
			t.Errorf("want floaty started before Keepalived starts, got\n%s", journal)
		}
	})
	p.step("a downgrade as documented, while MASTER", func() {
		p.each(func(m *machine) {
			m.documented(old, onlyBlock(t, "apt install", blocksOf(t, "hack/docs/uninstall.md", "Downgrade")).text)
			if got := m.do("dpkg-query --show --showformat='${Version}' floaty"); got != "0.0.0~alpha" {
				t.Errorf("%s: after the downgrade the version is %s, want 0.0.0~alpha", m.name, got)
			}
		})
		p.steal()
		p.isAt(p.lb1, uuid1, 15*time.Second)
	})
	p.step("after a removal, the service is gone and the rest stays", func() {
		m := p.lb1
		m.do("apt-get remove -y floaty")
		if out, err := m.run("systemctl is-active floaty"); err == nil {
			t.Errorf("floaty is %s after its removal", out)
		}
		m.do("test ! -e /usr/sbin/floaty && test -f /etc/floaty.yml && test -p /run/floaty/keepalived.fifo")
		m.do("apt-get purge -y floaty")
		m.purged()
	})
	p.step("uninstalled as documented, only the user and the configuration stay", func() {
		p.lb2.documented(old, onlyBlock(t, "apt purge", blocksOf(t, "hack/docs/uninstall.md", "Uninstall")).text)
		p.lb2.purged()
	})
}

// documented runs a block of the documentation, in a directory that contains the package that the block may name. Questions of apt are
// answered with yes.
func (m *machine) documented(deb, script string) {
	m.Helper()
	m.write("etc/apt/apt.conf.d/yes", "APT::Get::Assume-Yes \"true\";\n")
	m.do("cd /root && cp " + m.provide(deb, "package.deb") + " floaty_1_amd64.deb\n" + strings.ReplaceAll(script, "VERSION", "1"))
}

// purged checks which files and users are left after a purge.
func (m *machine) purged() {
	m.Helper()
	m.do("test ! -e /run/floaty && test -f /etc/floaty.yml && getent passwd floaty && systemctl is-active keepalived")
	left := strings.Fields(m.do("find / -xdev \\( -path /root -o -path /proc -o -path /var/log -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache/apt \\) -prune" +
		" -o -name '*floaty*' -print"))
	slices.Sort(left)
	if want := []string{"/etc/floaty.token", "/etc/floaty.yml"}; !slices.Equal(left, want) {
		m.Errorf("%s: the purge leaves %q, want %q", m.name, left, want)
	}
}

// checkRun checks the owners and modes of /run/floaty and of the FIFO in it.
func (m *machine) checkRun() {
	m.Helper()
	want := "/run/floaty 750 floaty:floaty directory\n/run/floaty/keepalived.fifo 600 floaty:floaty fifo\n"
	if got := m.do("stat -c '%n %a %U:%G %F' /run/floaty /run/floaty/keepalived.fifo"); got != want {
		m.Errorf("%s: got %q, want %q", m.name, got, want)
	}
}

// exposureLevel matches what systemd-analyze prints last.
var exposureLevel = regexp.MustCompile(`Overall exposure level for floaty.service: ([0-9.]+) `)

// checkUnit demands that systemd finds no fault in the unit of the machine, and rates its exposure, from 0 to 10, at atMost or better.
func (m *machine) checkUnit(atMost float64) {
	m.Helper()
	m.do("systemd-analyze verify --man=no floaty.service")
	out := m.do("cp /usr/lib/systemd/system/floaty.service /root/floaty.service; if test -d /etc/systemd/system/floaty.service.d; then cp -r /etc/systemd/system/floaty.service.d /root; fi;" +
		"SYSTEMD_UNIT_PATH=/root: systemd-analyze security --offline=true --no-pager /root/floaty.service; rm -r /root/floaty.service*")
	found := exposureLevel.FindStringSubmatch(out)
	if found == nil {
		m.Errorf("%s: got %q, want an exposure level", m.name, out)
		return
	}
	if got, err := strconv.ParseFloat(found[1], 64); err != nil || got > atMost {
		m.Errorf("%s: got an exposure level of %s, want at most %v", m.name, found[1], atMost)
	}
}
