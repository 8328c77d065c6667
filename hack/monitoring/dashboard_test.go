package monitoring_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// A panel holds the parts of a panel that the tests check.
type panel struct {
	Title   string `json:"title"`
	Type    string `json:"type"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
	GridPos struct{ X, Y, W, H int } `json:"gridPos"`
	ID      int                      `json:"id"`
}

type dashboard struct {
	Panels      []panel `json:"panels"`
	Annotations struct {
		List []struct {
			Name string `json:"name"`
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("dashboard.json: %v", err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("dashboard.json has no panels")
	}
	return d
}

func TestThePanelsDoNotOverlap(t *testing.T) {
	taken, ids := map[[2]int]string{}, map[int]string{}
	for _, p := range readDashboard(t).Panels {
		if other, ok := ids[p.ID]; ok {
			t.Errorf("%q and %q have the ID %d", p.Title, other, p.ID)
		}
		ids[p.ID] = p.Title
		if p.GridPos.W <= 0 || p.GridPos.H <= 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%q is at %+v, want it within the 24 columns", p.Title, p.GridPos)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%q covers %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// variables replaces Grafana's variables as if everything were selected.
var variables = strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "10m", "$__interval", "10m")

// The test runs every query of the dashboard against a Prometheus that scrapes two real floaty, so that no panel is empty because of a
// misspelt name. Every metric in alerts.yml must exist too, and every metric of floaty must be documented.
func TestEachQueryAndEachAlertUsesMetricsThatExist(t *testing.T) {
	e := newEnv(t)
	e.start(e.a)
	e.start(e.b)
	e.holds(`count(floaty_build_info) == 2`)
	e.say(e.a, "MASTER")
	e.say(e.b, "BACKUP")
	e.holds(`sum(floaty_address_in_place{instance="lb1"}) == 2`)
	e.say(e.a, "BACKUP")
	e.say(e.b, "MASTER")
	e.holds(`sum(floaty_address_in_place{instance="lb2"}) == 2`)

	d := readDashboard(t)
	queries := map[string]string{}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%q has no query", p.Title)
		}
		for i, target := range p.Targets {
			queries[fmt.Sprintf("panel %q, query %d", p.Title, i+1)] = target.Expr
		}
	}
	for _, a := range d.Annotations.List {
		queries["annotation "+a.Name] = a.Expr
	}
	rules, err := os.ReadFile("alerts.yml")
	e.must(err)
	for _, metric := range regexp.MustCompile(`\bfloaty_\w+`).FindAllString(string(rules), -1) {
		queries["alerts.yml: "+metric] = metric
	}
	e.until("each query has a value", func() string {
		var missing []string
		for name, query := range queries {
			series, numbers, problem := e.query(variables.Replace(query))
			if problem != "" || numbers == 0 {
				missing = append(missing, fmt.Sprintf("%s: %d series and %d numbers: %s %s", name, series, numbers, query, problem))
			}
		}
		return strings.Join(missing, "\n")
	})
	t.Logf("%d queries have values", len(queries))

	page, err := os.ReadFile("../docs/monitoring.md")
	e.must(err)
	for _, metric := range e.metrics() {
		metric = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(metric, "")
		if strings.HasPrefix(metric, "floaty_") && !strings.Contains(string(page), "`"+metric) {
			t.Errorf("hack/docs/monitoring.md does not explain %s", metric)
		}
	}
}

// metrics returns the names of all metrics that Prometheus has.
func (e *env) metrics() []string {
	e.Helper()
	answer, err := http.Get(e.prometheus + "/api/v1/label/__name__/values")
	e.must(err)
	defer func() { _ = answer.Body.Close() }()
	var result struct {
		Data []string `json:"data"`
	}
	e.must(json.NewDecoder(answer.Body).Decode(&result))
	if len(result.Data) == 0 {
		e.Error("Prometheus has no metric")
	}
	return result.Data
}
