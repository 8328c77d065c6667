package docs_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/desired/keepalived/conf"
)

// sandbox is the script that creates the sandbox and runs the blocks of a page in it, one after the other: a machine named lb1 with its own
// /etc and /run, only the loopback network, both clouds simulated on port 80 (including their metadata services), and the examples'
// configuration files and users.
const sandbox = `set -e
tree=$1 dir=$2 programs=$3
mount --make-rprivate /
cp -a /etc "$dir/etc"
mount --bind "$dir/etc" /etc
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/floaty /etc/keepalived
hostname lb1
ip link set lo up
ip address add 169.254.169.254/32 dev lo
getent group floaty >/dev/null || echo floaty:x:987: >>/etc/group
getent passwd floaty >/dev/null || echo floaty:x:987:987::/nonexistent:/usr/sbin/nologin >>/etc/passwd
echo "127.0.0.1 localhost lb1" >/etc/hosts
cp "$tree/hack/packaging/examples/keepalived.conf" /etc/keepalived/keepalived.conf
cp "$dir/floaty.yml" /etc/floaty.yml
echo the-token >/etc/floaty.token
echo the-secret >/etc/floaty.secret
chmod 0600 /etc/floaty.*
export PATH=$programs:$tree/hack/nagios:$PATH
cloudsim --quiet --listen 0.0.0.0:80 --metadata 11111111-1111-4111-8111-111111111111 \
	--server 11111111-1111-4111-8111-111111111111=lb1 --server 22222222-2222-4222-8222-222222222222=lb2 \
	--address 198.51.100.7/32=22222222-2222-4222-8222-222222222222 --address 198.51.100.8/32=11111111-1111-4111-8111-111111111111 \
	--address 2001:db8:1::/56=22222222-2222-4222-8222-222222222222 >"$dir/cloudsim.out" 2>&1 &
until grep -q http "$dir/cloudsim.out"; do sleep 0.05; done
cd "$tree"
for step in "$dir"/step-*; do
	echo "@@begin ${step##*-}"
	status=0
	bash -e "$step" </dev/null 2>&1 || status=$?
	echo "@@end $status"
done
`

// service starts the daemon, writes MASTER in Keepalived's place, and waits until the address is in place.
const service = `floaty --fifo /etc/floaty.yml /run/floaty/keepalived.fifo >/run/floaty.log 2>&1 &
until [ -p /run/floaty/keepalived.fifo ]; do sleep 0.05; done
(exec 3<>/run/floaty/keepalived.fifo; echo 'INSTANCE "VI_1" MASTER 150' >&3; exec sleep 600) >/dev/null 2>&1 &
for i in $(seq 1200); do ! floaty --status --output json /etc/floaty.yml 2>/dev/null | grep -q '"in_place": *true' || break; sleep 0.05; done
`

// endpoint points a configuration at the simulated clouds.
func endpoint(text string) string {
	if strings.Contains(text, "endpoint:") {
		return text
	}
	text = regexp.MustCompile(`(?m)^cloudscale:.*$`).ReplaceAllString(text, "$0\n  endpoint: http://127.0.0.1:80/")
	return regexp.MustCompile(`(?m)^exoscale:.*$`).ReplaceAllString(text, "$0\n  endpoint: http://127.0.0.1:80/v2")
}

// provider completes a configuration that contains only some keys.
func provider(text string) string {
	if regexp.MustCompile(`(?m)^provider:`).MatchString(text) {
		return text
	}
	return "provider: cloudscale\ncloudscale:\n  token: t\n" + text
}

// step returns the script that runs or checks a block, and whether there is anything to do.
func step(b block) (string, bool) {
	path := b.directives["file"]
	put := func(text string) string {
		return "mkdir -p " + filepath.Dir(path) + "\ncat >" + path + " <<'END OF BLOCK'\n" + text + "END OF BLOCK\nchmod 0600 " + path + "\n"
	}
	_, marked := b.directives["not run"]
	_, running := b.directives["service"]
	switch {
	case marked:
		return "", false
	case b.language == "sh" && running:
		return service + b.text, true
	case b.language == "sh":
		return b.text, true
	case b.language == "yaml" && path != "":
		return put(endpoint(provider(b.text))) + "floaty --check " + path + "\n", true
	case b.language == "yaml":
		path = "/run/block.yml"
		return put(endpoint(provider(b.text))) + "floaty --check " + path + "\n", true
	case b.language == "keepalived" && path != "":
		return put(b.text), true
	case b.language == "text" && path != "":
		return put(b.text), true
	}
	return "", false
}

func TestTheBlocksOfThePagesWork(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: the commands need their own /etc and network")
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-mnpfu", "true").CombinedOutput(); err != nil {
		t.Skipf("namespaces cannot be created: %v: %s", err, out)
	}
	tree, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range slices.Concat(pages(t), manuals) {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			all := blocks(t, page)
			steps := map[int]string{}
			for i, b := range all {
				if script, ok := step(b); ok {
					steps[i] = script
				}
			}
			if len(steps) == 0 {
				return
			}
			results := runSteps(t, tree, steps)
			for i, b := range all {
				if _, ok := steps[i]; !ok {
					continue
				}
				want := "0"
				if status, ok := b.directives["exits"]; ok {
					want = status
				}
				if got := results[i]; got.status != want {
					t.Errorf("%v: got exit status %q, want %s:\n%s%s", b, got.status, want, b.text, got.output)
				}
				if i+1 < len(all) {
					prints(t, all[i+1], results[i].output)
					hasKeys(t, all[i+1], results[i].output)
				}
			}
		})
	}
}

// prints checks a block that shows the output of the block before: each of its lines must be in the output, in this order; … matches
// anything.
func prints(t *testing.T, b block, output string) {
	t.Helper()
	if _, ok := b.directives["prints"]; !ok {
		return
	}
	pattern := "(?m)"
	for line := range strings.Lines(b.text) {
		if line = strings.TrimSpace(line); line != "" {
			words := strings.Fields(line)
			for i := range words {
				words[i] = strings.ReplaceAll(regexp.QuoteMeta(words[i]), "…", ".*")
			}
			pattern += `^.*?` + strings.Join(words, `\s+`) + `(?s:.*?)`
		}
	}
	if !regexp.MustCompile(pattern).MatchString(output) {
		t.Errorf("%v: the block before prints\n%s\nwant\n%s", b, output, b.text)
	}
}

// hasKeys checks a block of JSON that shows the output of the block before: it must show every key of that output.
func hasKeys(t *testing.T, b block, output string) {
	t.Helper()
	if _, ok := b.directives["keys"]; !ok {
		return
	}
	var shown, printed map[string]any
	if err := json.Unmarshal([]byte(b.text), &shown); err != nil {
		t.Errorf("%v: %v", b, err)
	}
	if _, object, _ := strings.Cut("\n"+output, "\n{"); json.Unmarshal([]byte("{"+object), &printed) != nil {
		t.Errorf("%v: got %q, want an object", b, output)
	}
	want := keysOf("", shown)
	for _, key := range keysOf("", printed) {
		if !slices.Contains(want, key) {
			t.Errorf("%v: the block before prints the key %s, which is not shown", b, key)
		}
	}
}

// keysOf returns the keys of nested objects, each with its parents. A UUID as a key matches any other UUID.
func keysOf(prefix string, value any) []string {
	var all []string
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if len(key) == 36 {
				key = "UUID"
			}
			all = append(all, prefix+key)
			all = append(all, keysOf(prefix+key+".", inner)...)
		}
	case []any:
		for _, inner := range value {
			all = append(all, keysOf(prefix, inner)...)
		}
	}
	return all
}

// A result is the exit status and the output of a step.
type result struct{ status, output string }

// runSteps runs the steps of a page in a sandbox, in order.
func runSteps(t *testing.T, tree string, steps map[int]string) map[int]result {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // other users in the sandbox read it
		t.Fatal(err)
	}
	for i, script := range steps {
		write(t, fmt.Sprintf("%s/step-%03d", dir, i), script)
	}
	write(t, dir+"/floaty.yml", endpoint(read(t, "../packaging/examples/floaty-cloudscale.yml")))
	write(t, dir+"/sandbox", sandbox)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--net", "--pid", "--fork", "--uts", "--mount-proc", "--kill-child", //nolint:gosec // no foreign input
		"sh", dir+"/sandbox", tree, dir, programs(t))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	results := map[int]result{}
	for _, part := range strings.Split(output.String(), "@@begin ")[1:] {
		var i int
		number, rest, _ := strings.Cut(part, "\n")
		_, _ = fmt.Sscanf(number, "%d", &i)
		said, status, _ := strings.Cut(rest, "@@end ")
		results[i] = result{strings.TrimSpace(status), said}
	}
	if err != nil && len(results) < len(steps) {
		t.Fatalf("running the sandbox: %v: %s", err, output.String())
	}
	return results
}

func TestKeepalivedAcceptsTheBlocks(t *testing.T) {
	keepalived := cmp.Or(os.Getenv("KEEPALIVED"), "keepalived")
	_, err := exec.LookPath(keepalived)
	both := err == nil && os.Getuid() == 0
	for _, page := range slices.Concat(pages(t), manuals) {
		for _, b := range blocks(t, page) {
			if _, marked := b.directives["not run"]; b.language != "keepalived" || marked {
				continue
			}
			path := t.TempDir() + "/keepalived.conf"
			write(t, path, b.text)
			parsed, err := conf.Parse(path, conf.Options{ID: "lb1"})
			if err != nil {
				t.Errorf("%v: floaty cannot read it: %v", b, err)
				continue
			}
			for _, w := range parsed.Warnings {
				t.Errorf("%v: floaty warns: %v", b, w)
			}
			if both {
				checkWithKeepalived(t, keepalived, b, path)
			}
		}
	}
	if !both {
		t.Skip("Keepalived is not installed, or this is not root: only floaty has read the blocks")
	}
}

// checkWithKeepalived lets the real Keepalived check a block, on a machine that has the interfaces, addresses and programs of the pages.
func checkWithKeepalived(t *testing.T, keepalived string, b block, path string) {
	t.Helper()
	const script = `set -e
		mount --make-rprivate /
		mount -t tmpfs tmpfs /run
		cp /etc/passwd "$3"; grep -q ^floaty: "$3" || echo floaty:x:987:0::/:/usr/sbin/nologin >>"$3"; mount --bind "$3" /etc/passwd
		ip link set lo up
		ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up
		ip address add 192.0.2.11/24 dev eth0; ip address add 2001:db8::11/64 dev eth0 nodad
		ip netns add vrrp
		mkdir -p /run/floaty
		mount -t overlay overlay -o lowerdir="$4":/usr/sbin /usr/sbin # with floaty in it
		exec "$1" -t -l -n -i lb1 -f "$2"`
	out, err := exec.CommandContext(t.Context(), "unshare", "-mnpf", "--kill-child", "sh", "-c", script, "sh", keepalived, path, t.TempDir()+"/passwd", programs(t)).CombinedOutput() //nolint:gosec // no foreign input
	if err != nil {
		t.Errorf("%v: Keepalived: %v: %s", b, err, out)
	}
}

func TestJSONBlocksAreJSON(t *testing.T) {
	for _, page := range pages(t) {
		for _, b := range blocks(t, page) {
			if _, marked := b.directives["not run"]; b.language == "json" && !marked && !json.Valid([]byte(b.text)) {
				t.Errorf("%v: got invalid JSON:\n%s", b, b.text)
			}
		}
	}
}

func TestTheExamplesWork(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: the examples name files in /etc")
	}
	const dir = "../packaging/examples/"
	steps := map[int]string{}
	for i, name := range []string{"floaty-cloudscale.yml", "floaty-exoscale.yml"} {
		steps[i] = "cat >/etc/floaty.yml <<'END'\n" + endpoint(read(t, dir+name)) + "END\nfloaty --check /etc/floaty.yml /run/floaty/keepalived.fifo && floaty --test /etc/floaty.yml\n"
	}
	tree, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range runSteps(t, tree, steps) {
		if got.status != "0" {
			t.Errorf("example %d: got exit status %s:\n%s", i, got.status, got.output)
		}
	}
	keepalived := cmp.Or(os.Getenv("KEEPALIVED"), "keepalived")
	if _, err := exec.LookPath(keepalived); err == nil {
		checkWithKeepalived(t, keepalived, block{page: "keepalived.conf"}, dir+"keepalived.conf")
	}
}

func TestMonitoringNamesEveryMetric(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: the daemon needs its own /etc")
	}
	tree, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	const scrape = "curl --silent --unix-socket /run/floaty/%2Fetc%2Ffloaty.yml.sock http://localhost/metrics\n"
	got := runSteps(t, tree, map[int]string{0: service + scrape})[0]
	differ(t, "monitoring.md", distinct(`(floaty_[a-z_]+)`, read(t, "monitoring.md")), distinct(`(?m)^# TYPE (floaty_[a-z_]+) `, got.output))
	if t.Failed() {
		t.Logf("status %s: %s", got.status, got.output)
	}
}

func TestMonitoringNamesEveryLogKey(t *testing.T) {
	var constants string
	for _, path := range distinct(`(?m)^(\S+\.go)$`, list(t, root+"/providers/logkey")) {
		if !strings.HasSuffix(path, "_test.go") {
			constants += read(t, root+"/providers/logkey/"+path)
		}
	}
	_, table, _ := strings.Cut(read(t, "monitoring.md"), "\n| key | |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		got = append(got, distinct("`([a-z]+)`", cell)...)
	}
	differ(t, "monitoring.md", got, distinct(`(?m)^\s+[A-Z]\w* += "([a-z]+)"`, constants))
}

// list returns the names in a directory, one per line.
func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names string
	for _, entry := range entries {
		names += entry.Name() + "\n"
	}
	return names
}
