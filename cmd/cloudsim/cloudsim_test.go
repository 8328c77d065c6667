package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	v3 "github.com/exoscale/egoscale/v3"
	"github.com/exoscale/egoscale/v3/credentials"

	"floaty/providers/simulator"
)

func TestTheFlagsDescribeTheCloud(t *testing.T) {
	t.Parallel()
	p := start(t, "--address", "192.0.2.1/32="+lb1, "--address", "2001:db8:1::/56", "--address", "192.0.2.2",
		"--server", lb1+"=lb1", "--server", strings.ToUpper(lb2)+"=lb2", "--token", "other", "--token", token, "--metadata", lb2, "--managed", "2001:db8:1::")
	id := func(text string) string { return simulator.ElasticIPID(netip.MustParseAddr(text)) }
	if !strings.HasPrefix(p.url, "http://127.0.0.1:") {
		t.Errorf("got URL %q, want one on loopback", p.url)
	}
	_, got := p.call(http.MethodGet, "/sim/state", "")
	want := `{"addresses":[` +
		`{"address":"192.0.2.1","network":"192.0.2.1/32","servers":["` + lb1 + `"],"elastic_ip":"` + id("192.0.2.1") + `"},` +
		`{"address":"2001:db8:1::","network":"2001:db8:1::/56","servers":[],"elastic_ip":"` + id("2001:db8:1::") + `","managed":true},` +
		`{"address":"192.0.2.2","network":"192.0.2.2/32","servers":[],"elastic_ip":"` + id("192.0.2.2") + `"}],` +
		`"servers":[{"id":"` + lb1 + `","name":"lb1"},{"id":"` + lb2 + `","name":"lb2"}]}`
	if strings.TrimSpace(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p.wants(200, `"cloudscale_uuid":"`+lb2+`"`, http.MethodGet, "/openstack/latest/meta_data.json", "")
	p.wants(200, lb2, http.MethodGet, "/latest/meta-data/instance-id", "")

	p.wants(200, `"network":"192.0.2.1/32"`, http.MethodGet, "/v1/floating-ips", "")
	p.wants(204, "", http.MethodPatch, "/v1/floating-ips/192.0.2.1", `{"server": "`+lb2+`"}`)
	p.wants(200, `"servers":["`+lb2+`"]`, http.MethodGet, "/sim/state", "")
}

func TestTheFlagsDescribeExoscale(t *testing.T) {
	t.Parallel()
	p := start(t, "--exoscale-key", "EXO1:one", "--exoscale-key", "EXO2:two:2", "--operation-time", "1h",
		"--server", lb1+"=lb1", "--address", "192.0.2.1")
	p.wants(403, "Forbidden", http.MethodGet, "/v2/elastic-ip", "")
	for key, secret := range map[string]string{"EXO1": "one", "EXO2": "two:2"} {
		client, err := v3.NewClient(credentials.NewStaticCredentials(key, secret),
			v3.ClientOptWithHTTPClient(p.client), v3.ClientOptWithEndpoint(v3.Endpoint(p.url+"/v2")))
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.AttachInstanceToElasticIP(t.Context(), v3.UUID(simulator.ElasticIPID(netip.MustParseAddr("192.0.2.1"))),
			v3.AttachInstanceToElasticIPRequest{Instance: &v3.InstanceTarget{ID: lb1}})
		if err != nil || got.State != v3.OperationStatePending {
			t.Errorf("%s: got %+v, %v, want a pending operation", key, got, err)
		}
	}
}

func TestATokenIsRequired(t *testing.T) {
	t.Parallel()
	p := start(t, "--token", "another")
	p.wants(401, "Invalid token.", http.MethodGet, "/v1/floating-ips", "")
}

func TestTheControlAPIControlsTheCloud(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.wants(204, "", http.MethodPost, "/sim/servers", `{"id": "`+lb1+`", "name": "lb1"}`)
	p.wants(204, "", http.MethodPost, "/sim/addresses", `{"address": "192.0.2.1/32"}`)
	p.wants(204, "", http.MethodPost, "/sim/move", `{"address": "192.0.2.1", "servers": ["`+lb1+`"]}`)
	p.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "status", "status": 503, "times": 1}`)
	p.wants(503, "", http.MethodGet, "/v1/floating-ips", "")
	p.wants(200, lb1, http.MethodGet, "/v1/floating-ips", "")
	p.wants(200, `"status":503`, http.MethodGet, "/sim/calls", "")
}

func TestAnswersAreDelayedByTheLatency(t *testing.T) {
	t.Parallel()
	const latency = 50 * time.Millisecond
	p := start(t, "--latency", latency.String())
	begun := time.Now()
	p.wants(200, "[]", http.MethodGet, "/v1/floating-ips", "")
	if took := time.Since(begun); took < latency {
		t.Errorf("got an answer after %v, want it after at least %v", took, latency)
	}
}

func TestEachCallIsLogged(t *testing.T) {
	t.Parallel()
	for _, quiet := range []bool{false, true} {
		var args []string
		want := `^\d\d:\d\d:\d\d\.\d{3} GET /v1/floating-ips status=200 took=\S+ from=127.0.0.1:\d+
\d\d:\d\d:\d\d\.\d{3} GET /v2/instance\?ip-address=192.0.2.1 status=200 took=\S+ from=127.0.0.1:\d+
\d\d:\d\d:\d\d\.\d{3} PATCH /v1/a%0Ab server="x\\ny" status=404 took=\S+ from=127.0.0.1:\d+
\d\d:\d\d:\d\d\.\d{3} GET /v1/floating-ips no answer took=\S+ from=127.0.0.1:\d+
$`
		if quiet {
			args, want = []string{"--quiet"}, "^$"
		}
		p := start(t, args...)
		p.wants(200, "[]", http.MethodGet, "/v1/floating-ips", "")
		p.wants(200, "[]", http.MethodGet, "/v2/instance?ip-address=192.0.2.1", "")
		p.wants(404, "", http.MethodPatch, "/v1/a%0Ab", `{"server": "x\ny"}`)
		p.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "reset"}`)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/floating-ips", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // otherwise net/http would repeat the request
		if resp, err := fresh.Do(req); err == nil {
			_ = resp.Body.Close()
			t.Errorf("got status %d over a connection that is reset, want no answer", resp.StatusCode)
		}
		if !quiet { // the client sees the reset before the program logs it
			p.eventually("four lines", func() bool { return strings.Count(p.stderr.String(), "\n") == 4 })
		}
		p.stop()
		p.ends(exitOK)
		if got := p.stderr.String(); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("quiet %v: got\n%s\nwant %s", quiet, got, want)
		}
	}
}

func TestTheTLSCertificateCanBeTrusted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "cert.pem")
	p := start(t, "--tls", file)
	text, err := os.ReadFile(file) //nolint:gosec // the test's own file
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(text) || strings.Contains(string(text), "PRIVATE") {
		t.Fatalf("got %s, want only a certificate", text)
	}
	p.client.Transport = &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: trusted}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/floating-ips", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
		t.Errorf("got %s over %s, want 200 over HTTP/2", resp.Status, resp.Proto)
	}
}

func TestAHangingRequestDoesNotDelayTheEnd(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.wants(204, "", http.MethodPost, "/sim/fault", `{"kind": "hang", "path": "/v1/"}`)
	hanging := make(chan error, 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/floating-ips", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		resp, err := p.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		hanging <- err
	}()
	p.eventually("the request arrives", func() bool {
		_, calls := p.call(http.MethodGet, "/sim/calls", "")
		return strings.Contains(calls, "/v1/floating-ips")
	})
	p.stop()
	p.ends(exitOK)
	if err := <-hanging; err == nil {
		t.Error("got an answer, want none")
	}
}

func TestSIGTERMAndSIGINTEndTheProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, self, "--listen", "127.0.0.1:0") //nolint:gosec // the test itself
		cmd.Env = append(os.Environ(), "CLOUDSIM_IS_THE_PROGRAM=1", "GORACE=atexit_sleep_ms=0")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
			t.Errorf("got the line %q, want a URL", lines.Text())
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Error(err)
		}
		if lines.Scan() {
			t.Errorf("got the line %q as well, want only the URL", lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: got %v, want status 0", signal, err)
		}
	}
}

func TestAListenErrorIsAFailure(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // nothing was written
	var stdout, stderr strings.Builder
	got := run(t.Context(), []string{"--listen", taken.Addr().String()}, &stdout, &stderr)
	if want := taken.Addr().String(); got != exitFailed || stdout.Len() != 0 || !strings.Contains(stderr.String(), want) {
		t.Errorf("got status %d, %q and %q, want %d, nothing and a line that names %s", got, stdout.String(), stderr.String(), exitFailed, want)
	}
}

func TestAnUnwritableCertificateFileIsAFailure(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "missing", "cert.pem")
	var stdout, stderr strings.Builder
	got := run(t.Context(), []string{"--listen", "127.0.0.1:0", "--tls", file}, &stdout, &stderr)
	if got != exitFailed || stdout.Len() != 0 || !strings.Contains(stderr.String(), "--tls "+file) {
		t.Errorf("got status %d, %q and %q, want %d, nothing and a line that names %s", got, stdout.String(), stderr.String(), exitFailed, file)
	}
}
