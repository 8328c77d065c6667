// Package monitoring_test checks the alerting rules and the dashboard with promtool and Prometheus. Tests that need a missing program are
// skipped; hack/install-monitoring fetches both.
package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// tool returns the path of promtool or prometheus: the one that hack/install-monitoring fetched, or an installed one.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../.cache/prometheus/usr/bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if path, err = exec.LookPath(name); err != nil {
		t.Skipf("%s is missing; hack/install-monitoring fetches it", name)
	}
	return path
}

// alert holds the parts of a rule that the tests check.
type alert struct {
	Alert       string            `json:"alert"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alert `json:"rules"`
		} `json:"groups"`
	}
	readYAML(t, "alerts.yml", &file)
	var all []alert
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("alerts.yml has no rules")
	}
	return all
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // no foreign input
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestTheAlertsPassPromtool(t *testing.T) {
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil { //nolint:gosec // no foreign input
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// If an alert were tested only while it fires, or only while it does not, it might always fire or never.
func TestEachAlertIsTestedFiringAndSilent(t *testing.T) {
	var file struct {
		Tests []struct {
			Rules []struct {
				Name   string `json:"alertname"`
				Alerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	readYAML(t, "alerts_test.yml", &file)
	firing, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, rule := range test.Rules {
			if len(rule.Alerts) > 0 {
				firing[rule.Name] = true
			} else {
				silent[rule.Name] = true
			}
		}
	}
	for _, a := range alerts(t) {
		if !firing[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s: seen firing %v, silent %v in alerts_test.yml; want both", a.Alert, firing[a.Alert], silent[a.Alert])
		}
	}
}

func TestEachAlertHasAnEntryInTheRunbook(t *testing.T) {
	const page = "hack/docs/runbook.md"
	text, err := os.ReadFile(filepath.Join("../..", page))
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for _, match := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(string(text), -1) {
		headings = append(headings, match[1])
	}
	var names []string
	for _, a := range alerts(t) {
		names = append(names, a.Alert)
		if !slices.Contains(headings, a.Alert) {
			t.Errorf("%s has no section %q", page, "## "+a.Alert)
		}
		if got, want := a.Annotations["runbook"], page+"#"+strings.ToLower(a.Alert); got != want {
			t.Errorf("%s: runbook is %q, want %q", a.Alert, got, want)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s: got the annotations %q, want a summary and a description", a.Alert, a.Annotations)
		}
		if severity := a.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: severity is %q, want critical or warning", a.Alert, severity)
		}
	}
	for _, heading := range headings {
		if !slices.Contains(names, heading) {
			t.Errorf("%s has a section %q, but there is no such alert", page, heading)
		}
	}
}

// The runbook quotes the reasons that --ready gives, in italics.
func TestTheRunbookQuotesReasonsThatExist(t *testing.T) {
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../cmd/floaty/internal/serve/monitor.go")
	if err != nil {
		t.Fatal(err)
	}
	quotes := regexp.MustCompile(`(?m)^- \*([^*]+)\*`).FindAllStringSubmatch(string(runbook), -1)
	if len(quotes) == 0 {
		t.Error("the runbook quotes no reason")
	}
	for _, quote := range quotes {
		if !strings.Contains(string(source), `"`+quote[1]) {
			t.Errorf("the runbook quotes %q, which is not a reason of the daemon", quote[1])
		}
	}
}
