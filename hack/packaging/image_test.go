package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// A buildah runs buildah with its own storage, and without kernel features that a container may lack.
type buildah struct {
	*testing.T
	env []string
}

func newBuildah(t *testing.T) *buildah {
	t.Helper()
	if _, err := exec.LookPath("buildah"); err != nil || os.Getuid() != 0 {
		t.Skip("not root, or buildah is missing: hack/packaging/install-tools installs it")
	}
	dir := t.TempDir()
	storage := filepath.Join(dir, "storage.conf")
	text := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", dir+"/graph", dir+"/run")
	if err := os.WriteFile(storage, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &buildah{t, append(os.Environ(), "CONTAINERS_STORAGE_CONF="+storage, "BUILDAH_ISOLATION=chroot", "STORAGE_DRIVER=vfs")}
}

func (b *buildah) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Env = b.env
	return cmd
}

func (b *buildah) do(name string, args ...string) string {
	b.Helper()
	out, err := b.command(name, args...).CombinedOutput()
	if err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// The image contains only the program and what it needs, runs as an unprivileged user, and moves an address.
func TestTheImageIsMinimalAndMovesAnAddress(t *testing.T) {
	b := newBuildah(t)
	b.do("./image", "floaty")
	container := b.do("buildah", "from", "--pull-never", "floaty")
	root := b.do("buildah", "mount", container)
	var files []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, root))
		}
		return err
	})
	if want := []string{
		"/etc/group", "/etc/passwd", "/etc/ssl/certs/ca-certificates.crt", "/usr/sbin/floaty",
		"/usr/share/doc/floaty/THIRD-PARTY-NOTICES", "/usr/share/doc/floaty/copyright",
	}; err != nil || !slices.Equal(files, want) {
		t.Errorf("the image contains %q, %v; want %q", files, err, want)
	}
	if got := b.do("buildah", "inspect", "--format", "{{.OCIv1.Config.User}}", container); got != "65532:65532" {
		t.Errorf("the image runs as %q, want 65532:65532", got)
	}
	if got := b.do("buildah", "run", container, "--", "/usr/sbin/floaty", "--version"); !strings.HasPrefix(got, "floaty ") {
		t.Errorf("--version prints %q", got)
	}

	config := filepath.Join(t.TempDir(), "floaty.yml")
	url := startCloudOnLoopback(t)
	text := fmt.Sprintf("provider: cloudscale\ncloudscale: {endpoint: %q, token: t, server-uuid: %s}\ninstances: {VI_1: {addresses: [%s]}}\n", url, uuid1, floating)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	daemon := b.command("buildah", "run", "--volume", config+":/etc/floaty.yml:ro", container, "--", "/usr/sbin/floaty", "--fifo", "/etc/floaty.yml", "/run/floaty/keepalived.fifo")
	var said strings.Builder
	daemon.Stdout, daemon.Stderr = &said, &said
	daemon.Cancel = func() error { return daemon.Process.Signal(os.Interrupt) }
	daemon.WaitDelay = 10 * time.Second
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Signal(os.Interrupt)
		_ = daemon.Wait()
		if t.Failed() {
			t.Logf("floaty has logged:\n%s", said.String())
		}
	}()
	// The test writes Keepalived's line into the FIFO, as Keepalived does: as root, and the FIFO stays open.
	fifo := filepath.Join(root, "run", "floaty", "keepalived.fifo")
	within(t, 10*time.Second, "the FIFO exists", func() error { _, err := os.Stat(fifo); return err })
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a FIFO
	if _, err := f.WriteString("INSTANCE \"VI_1\" MASTER 100\n"); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the address is here", func() error {
		response, err := http.Get(url + "/sim/state")
		if err != nil {
			return err
		}
		defer response.Body.Close() //nolint:errcheck // it was only read
		state, err := io.ReadAll(response.Body)
		if err == nil && !strings.Contains(string(state), `"servers":["`+uuid1+`"]`) {
			return fmt.Errorf("the cloud's state is %s", state)
		}
		return err
	})
}

func within(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %v", limit, what, err)
		}
	}
}

// startCloudOnLoopback starts cloudsim, in which the address points at another server, and returns its URL.
func startCloudOnLoopback(t *testing.T) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cloud := exec.CommandContext(t.Context(), buildCloudsim(t), "--listen", address, "--token", "t", "--quiet",
		"--server", uuid1+"=lb1", "--server", stranger+"=stranger", "--address", floating+"/32="+stranger)
	cloud.Cancel = func() error { return cloud.Process.Signal(os.Interrupt) }
	if err := cloud.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Wait() })
	url := "http://" + address
	within(t, 10*time.Second, "cloudsim listens", func() error {
		response, err := http.Get(url + "/sim/state")
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	})
	return url
}

// In the compose example, only Keepalived may configure the network, and both services share what they must share.
func TestTheComposeExampleGivesEachServiceWhatItNeeds(t *testing.T) {
	text, err := os.ReadFile("compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			NetworkMode string   `yaml:"network_mode"`
			PID         string   `yaml:"pid"`
			CapAdd      []string `yaml:"cap_add"`
			CapDrop     []string `yaml:"cap_drop"`
			Volumes     []string `yaml:"volumes"`
		} `yaml:"services"`
		Volumes map[string]any `yaml:"volumes"`
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	floaty, keepalived := compose.Services["floaty"], compose.Services["keepalived"]
	if !slices.Contains(keepalived.CapAdd, "NET_ADMIN") || len(floaty.CapAdd) != 0 || !slices.Equal(floaty.CapDrop, []string{"ALL"}) {
		t.Errorf("Keepalived has the capabilities %q, floaty %q without %q; want NET_ADMIN only for Keepalived", keepalived.CapAdd, floaty.CapAdd, floaty.CapDrop)
	}
	if floaty.PID != "service:keepalived" {
		t.Errorf("floaty sees the processes of %q, want service:keepalived", floaty.PID)
	}
	for name, service := range compose.Services {
		if !slices.Contains(service.Volumes, "run:/run") {
			t.Errorf("%s has the volumes %q, want run:/run among them", name, service.Volumes)
		}
	}
	if floaty.NetworkMode != "host" || keepalived.NetworkMode != "host" {
		t.Errorf("the networks are %q and %q, want host", floaty.NetworkMode, keepalived.NetworkMode)
	}
}
