package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A description is what a documentation page states about a key.
type description struct {
	defaultValue string // empty if the page gives none
	restart      bool   // whether a change needs a restart
}

// The pages that describe every key, each with the function that reads its descriptions.
var pages = map[string]func(t *testing.T, text string) map[string]description{
	"../hack/docs/configuration.md": fromTable,
	"../hack/docs/man/floaty.yml.5": fromManual,
}

// Keys whose default depends on keepalived.conf or on the zone. The code's table of keys therefore has no default for them.
var derived = []string{"keepalived-pid-file", "exoscale.endpoint"}

func TestTheDocumentationDescribesEveryKey(t *testing.T) {
	for path, read := range pages {
		t.Run(path, func(t *testing.T) {
			data, err := os.ReadFile(path) //nolint:gosec // our own pages
			if err != nil {
				t.Fatal(err)
			}
			described := read(t, string(data))
			for _, k := range leaves(defaults().keys()) {
				d, known := described[k.name]
				if !known {
					t.Errorf("%s: got no description", k.name)
					continue
				}
				delete(described, k.name)
				if want := k.reload == Restart; d.restart != want {
					t.Errorf("%s: got restart needed %v, want %v", k.name, d.restart, want)
				}
				switch {
				case slices.Contains(derived, k.name):
				case d.defaultValue == "":
					if got := fmt.Sprint(k.value()); !slices.Contains([]string{"", "[]", "map[]"}, got) {
						t.Errorf("%s: the page names no default, but it is %s", k.name, got)
					}
				default:
					isDefault(t, k.name, d.defaultValue)
				}
			}
			for name := range described {
				t.Errorf("%s is described, want only keys that exist", name)
			}
		})
	}
}

// quoted matches a text in backquotes.
var quoted = regexp.MustCompile("`([^`]*)`")

// fromTable reads a Markdown table of keys, and the sentence below it that lists the keys whose change needs a restart.
func fromTable(t *testing.T, text string) map[string]description {
	t.Helper()
	_, table, _ := strings.Cut(text, "| key | default | |\n|---|---|---|\n")
	table, rest, _ := strings.Cut(table, "\n\n")
	restart := regexp.MustCompile(`[^.]* need a restart`).FindString(rest)
	described := map[string]description{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|") // the first cell is the empty text before the first |
		if len(cells) < 4 {
			t.Fatalf("got the row %q, want at least three cells", row)
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			d := description{restart: strings.Contains(restart, name[0])}
			if defaultValue := quoted.FindStringSubmatch(cells[2]); defaultValue != nil {
				d.defaultValue = defaultValue[1]
			}
			described[strings.TrimSuffix(name[1], ".NAME.addresses")] = d
		}
	}
	return described
}

// fromManual reads the items of a manual page in mdoc.
func fromManual(t *testing.T, text string) map[string]description {
	t.Helper()
	described := map[string]description{}
	for _, item := range strings.Split(text, "\n.It Ic ")[1:] {
		item, _, _ = strings.Cut(item, "\n.El")
		name, body, _ := strings.Cut(item, "\n")
		name, _, _ = strings.Cut(name, " ")
		d := description{restart: strings.Contains(body, "A change needs a restart.")}
		if defaultValue := regexp.MustCompile(`^Default\n\.Ql (\S+)`).FindStringSubmatch(body); defaultValue != nil {
			d.defaultValue = defaultValue[1]
		}
		described[name] = d
	}
	return described
}

// isDefault checks that setting the key to this value is the same as leaving it out.
func isDefault(t *testing.T, key, value string) {
	t.Helper()
	text := key + ": " + value
	if section, name, inside := strings.Cut(key, "."); inside {
		text = section + ": {" + name + ": " + value + "}"
	}
	root, err := decodeYAML([]byte(text))
	if err != nil {
		t.Fatalf("%s: got %v, want valid YAML", text, err)
	}
	got, problems := decodeConfig("/", root)
	if len(problems) != 1 { // no provider
		t.Errorf("%s: got %v, want only the missing provider", text, problems)
	}
	if changes := Changes(defaults(), got); len(changes) > 0 {
		t.Errorf("the page gives the default %s, but the real one differs: %s", text, changes[0].Text)
	}
}
