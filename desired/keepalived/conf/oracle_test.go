package conf

import (
	"bufio"
	"cmp"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKeepalivedItselfReadsTheSame compares the parser with Keepalived's own. The only way to see what Keepalived has read is to start it
// and have it dump its data, so it runs in its own namespaces and is killed right after the dump.
func TestKeepalivedItselfReadsTheSame(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: Keepalived cannot have namespaces of its own")
	}
	if _, err := exec.LookPath(program()); err != nil {
		t.Skip("no Keepalived is installed")
	}
	for _, c := range slices.Concat(good, settings, included) {
		if c.want == "" {
			continue // without an instance there is no dump
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, library(t), "k.conf", c.text)
			got, err := Parse(path, Options{ID: hostID})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := distinct(got), distinct(dump(t, path)); got != want {
				t.Errorf("the parser reads %s\nKeepalived reads %s", got, want)
			}
		})
	}
}

// program returns the path of Keepalived: the environment variable KEEPALIVED, or the one that is installed.
func program() string { return cmp.Or(os.Getenv("KEEPALIVED"), "keepalived") }

// distinct is like summary, but without repetitions of an address: Keepalived reads an include after a condition twice, and since 2.3 (seen
// on 2.3.3) it ignores an address that it has already read with another prefix length.
func distinct(c *Config) string {
	var once Config
	for _, inst := range c.Instances {
		once.Instances = append(once.Instances, Instance{Name: inst.Name, Addresses: unique(inst.Addresses), Excluded: unique(inst.Excluded), AdvertInterval: inst.AdvertInterval})
	}
	once.Groups, once.Instance, once.NetNamespace = c.Groups, c.Instance, c.NetNamespace
	once.FIFOs = slices.SortedFunc(slices.Values(c.FIFOs), func(a, b FIFO) int { return strings.Compare(a.Path, b.Path) })
	once.ScriptUser = c.ScriptUser
	return summary(&once)
}

func unique(prefixes []netip.Prefix) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range prefixes {
		if !slices.ContainsFunc(list, func(q netip.Prefix) bool { return q.Addr() == p.Addr() }) {
			list = append(list, p)
		}
	}
	return list
}

// begin creates interfaces and executes Keepalived, inside its own namespaces. Since 2.3.2 Keepalived locks all its pid files. Not every
// build has an option for the path of BFD's, so Keepalived also needs its own /run.
const begin = `mount --make-rprivate / && mount -t tmpfs tmpfs /run && ip link set lo up && ip link add eth0 type veth peer name eth1 && ip link set eth0 up && ip link set eth1 up &&
ip addr add 10.9.9.1/24 dev eth0 && exec "$4" -n -l -G -d -P -R -i "$1" -f "$2" -p "$3.pid" -r "$3.vrrp.pid"`

// dump returns what Keepalived itself reads from a file.
func dump(t *testing.T, path string) *Config {
	t.Helper()
	dir := t.TempDir()
	wrap := write(t, dir, "wrap.conf", "global_defs {\n dynamic_interfaces\n}\ninclude "+path+"\n")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", begin, "sh", hostID, wrap, filepath.Join(dir, "k"), program()) //nolint:gosec // our own script
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, // the end of the first process ends all others
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Skipf("namespaces cannot be made: %v", err)
	}
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer func() {
		late.Stop()
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	return undump(t, out)
}

var stamp = regexp.MustCompile(`^\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}: ?`)

// undump parses Keepalived's dump, up to the list of interfaces.
func undump(t *testing.T, out io.Reader) *Config {
	t.Helper()
	var c Config
	var printed []string
	var addrs *[]netip.Prefix
	members := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := stamp.ReplaceAllString(lines.Text(), "")
		printed = append(printed, line)
		if strings.Contains(line, "------< Interfaces >") {
			return &c
		}
		if !strings.HasPrefix(line, " ") {
			continue // a line of another process may come in between
		}
		listed := strings.HasPrefix(line, "     ")
		if name, ok := strings.CutPrefix(line, " VRRP Instance = "); ok {
			c.Instances = append(c.Instances, Instance{Name: name})
		}
		if name, ok := strings.CutPrefix(line, " VRRP Sync Group = "); ok {
			c.Groups = append(c.Groups, Group{Name: name[:strings.LastIndexByte(name, ',')]})
		}
		switch {
		case strings.HasPrefix(line, "   Advert interval = "):
			c.Instances[len(c.Instances)-1].AdvertInterval = dumpedInterval(t, line)
		case strings.HasPrefix(line, " Instance name = "):
			c.Instance = strings.TrimPrefix(line, " Instance name = ")
		case strings.HasPrefix(line, " Global notify fifo = "), strings.HasPrefix(line, " VRRP notify fifo = "):
			c.FIFOs = append(c.FIFOs, dumpedFIFO(t, line))
		case strings.HasPrefix(line, " Default script uid:gid "):
			if c.ScriptUser = dumpedUser(t, strings.TrimPrefix(line, " Default script uid:gid ")); c.ScriptUser == "root" {
				c.ScriptUser = "" // the default
			}
		case strings.HasPrefix(line, "   Virtual IP ("):
			addrs = &c.Instances[len(c.Instances)-1].Addresses
		case strings.HasPrefix(line, "   Virtual IP Excluded"):
			addrs = &c.Instances[len(c.Instances)-1].Excluded
		case strings.HasPrefix(line, "   VRRP member instances"):
			members = true
		case listed && addrs != nil:
			*addrs = append(*addrs, dumped(t, line))
		case listed && members:
			group := &c.Groups[len(c.Groups)-1]
			group.Members = append(group.Members, strings.TrimSpace(line))
		default:
			addrs, members = nil, false
		}
	}
	t.Fatalf("Keepalived ended without a dump:\n%s", strings.Join(printed, "\n"))
	return nil
}

// dumpedInterval parses a line such as "Advert interval = 1 sec" or "… = 500 milli-sec".
func dumpedInterval(t *testing.T, line string) time.Duration {
	t.Helper()
	fields := strings.Fields(line)
	unit := map[string]string{"sec": "s", "milli-sec": "ms"}[fields[len(fields)-1]]
	interval, err := time.ParseDuration(fields[len(fields)-2] + unit)
	if err != nil {
		t.Fatalf("%q in the dump: %v", line, err)
	}
	return interval
}

// dumpedFIFO parses a line such as "VRRP notify fifo = /run/fifo, uid:gid 0:0".
func dumpedFIFO(t *testing.T, line string) FIFO {
	t.Helper()
	_, text, _ := strings.Cut(line, " = ")
	path, ids, ok := strings.Cut(text, ", uid:gid ")
	if !ok {
		t.Fatalf("%q in the dump: no user", line)
	}
	return FIFO{Path: path, User: dumpedUser(t, ids)}
}

// dumpedUser parses UID:GID.
func dumpedUser(t *testing.T, ids string) string {
	t.Helper()
	id, _, _ := strings.Cut(ids, ":")
	u, err := user.LookupId(id)
	if err != nil {
		t.Fatalf("user %q in the dump: %v", ids, err)
	}
	return u.Username
}

// dumped parses an address in the dump, which has no prefix length if the prefix is a single address.
func dumped(t *testing.T, line string) netip.Prefix {
	t.Helper()
	text := strings.Fields(line)[0]
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		t.Fatalf("%q in the dump: %v", line, err)
	}
	return prefix
}
