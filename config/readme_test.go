package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// quoted is what stands in backquotes.
var quoted = regexp.MustCompile("`([^`]*)`")

// The defaults that README.md tells of but that keepalived.conf or the zone make, not the table of keys.
var madeLater = []string{"keepalived-pid-file", "exoscale.endpoint"}

func TestREADMETellsOfEveryKeyItsDefaultAndWhatNeedsARestart(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(data), "| key | default | |\n|---|---|---|\n")
	table, rest, _ := strings.Cut(table, "\n\n")
	standard := map[string]string{} // by key; empty: none
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|") // the first is before the row
		if len(cells) < 4 {
			t.Fatalf("got the row %q, want cells", row)
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			standard[strings.TrimSuffix(name[1], ".NAME.addresses")] = first(cells[2])
		}
	}
	standard["listen-address"] = "" // README names it below the table: nothing listens yet
	sentence := regexp.MustCompile(`[^.]* need a restart`).FindString(rest)
	for _, k := range flat(defaults().keys()) {
		want, known := standard[k.name]
		if !known {
			t.Errorf("%s: no row in README.md", k.name)
		}
		delete(standard, k.name)
		if got := strings.Contains(sentence, "`"+k.name+"`"); got != (k.reload == Restart) {
			t.Errorf("%s takes %s when it changes, but README.md says %q", k.name, k.reload, sentence)
		}
		switch {
		case slices.Contains(madeLater, k.name):
		case want == "":
			if got := fmt.Sprint(k.value()); !slices.Contains([]string{"", "[]", "map[]"}, got) {
				t.Errorf("%s: got the default %s, README.md has none", k.name, got)
			}
		default:
			isDefault(t, k.name, want)
		}
	}
	for name := range standard {
		t.Errorf("README.md has a row for %s, want only keys that there are", name)
	}
}

// first returns what stands first in backquotes; empty: nothing.
func first(text string) string {
	if found := quoted.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// isDefault wants that a file with that value of a key means the same as one without it.
func isDefault(t *testing.T, key, value string) {
	t.Helper()
	text := key + ": " + value
	if section, name, inside := strings.Cut(key, "."); inside {
		text = section + ": {" + name + ": " + value + "}"
	}
	root, err := decodeYAML([]byte(text))
	if err != nil {
		t.Fatalf("%s: got %v, want it to be YAML", text, err)
	}
	got, problems := read("/", root)
	if len(problems) != 1 { // no provider
		t.Errorf("%s: got %v, want nothing but that the provider is missing", text, problems)
	}
	if changes := Changes(defaults(), got); len(changes) > 0 {
		t.Errorf("README.md says that the default is %s, but: %s", text, changes[0].Text)
	}
}
