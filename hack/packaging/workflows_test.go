package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The workflows only call scripts that everyone can run, and contain no logic of their own.
func TestTheWorkflowsContainNoLogic(t *testing.T) {
	paths, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	var called []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct {
					Run string `yaml:"run"`
				} `yaml:"steps"`
			} `yaml:"jobs"`
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				run := step.Run
				switch {
				case run == "", strings.HasPrefix(run, "git config "), strings.HasPrefix(run, "gh release create "):
				case run == ".ci/run", run == "hack/package":
					called = append(called, run)
				default:
					t.Errorf("%s runs %q, want .ci/run and hack/package only", path, run)
				}
			}
		}
	}
	slices.Sort(called)
	if want := []string{".ci/run", "hack/package"}; !slices.Equal(called, want) {
		t.Errorf("the workflows call %q, want %q", called, want)
	}
}
