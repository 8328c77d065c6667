package main

import (
	"path"
	"strings"
	"testing"
)

// checkLinks follows the links of the installed pages: on a host there is no repository beside them.
func checkLinks(t *testing.T, contents map[string]string) {
	t.Helper()
	links := 0
	for name, content := range contents {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, found := range link().FindAllStringSubmatch(content, -1) {
			if strings.Contains(found[2], "://") {
				continue
			}
			links++
			if _, ok := contents[path.Join(path.Dir(name), found[2])]; !ok {
				t.Errorf("/%s: the link %s leads to a file that is not installed", name, found[0])
			}
		}
	}
	if links < 50 {
		t.Errorf("the installed pages have %d links, want at least 50", links)
	}
}
