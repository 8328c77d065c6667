package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A block is a fenced block of a page of the documentation, with the comment before it.
type block struct {
	language, comment, text string
}

// blocksOf returns the blocks of a section of a page, in order and without their indentation.
func blocksOf(t *testing.T, page, section string) []block {
	t.Helper()
	text, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+section+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)(?:^ *<!-- ([^\n]*) -->\n)?^( *)```(\\w+)\n(.*?)^ *```$").FindAllStringSubmatch(rest, -1) {
		lines := strings.ReplaceAll("\n"+m[4], "\n"+m[2], "\n")
		blocks = append(blocks, block{language: m[3], comment: m[1], text: strings.TrimPrefix(lines, "\n")})
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no block in section %q", page, section)
	}
	return blocks
}

// in returns the blocks that are in a language.
func in(language string, blocks []block) []block {
	var list []block
	for _, b := range blocks {
		if b.language == language {
			list = append(list, b)
		}
	}
	return list
}

// onlyBlock returns the only block that contains a text.
func onlyBlock(t *testing.T, text string, blocks []block) block {
	t.Helper()
	var list []block
	for _, b := range blocks {
		if strings.Contains(b.text, text) {
			list = append(list, b)
		}
	}
	if len(list) != 1 {
		t.Fatalf("%d blocks contain %q, want one", len(list), text)
	}
	return list[0]
}

// follow does on a machine exactly what the README says, up to a running service. Only two things cannot be taken from the README: the
// cloud's endpoint, and the vrrp_instance, which every user has already.
func (m *machine) follow(deb, instance string) {
	m.Helper()
	install := onlyBlock(m.T, "apt install", blocksOf(m.T, "README.md", "Install")).text
	m.documented(deb, install)
	m.checkRun()
	if got := m.property("ActiveState"); got != "inactive" {
		m.Errorf("%s: before it is configured the service is %s, want inactive", m.name, got)
	}

	setup := blocksOf(m.T, "README.md", "Set up")
	m.write("etc/floaty.token", "t\n")
	m.write("etc/floaty.yml", atCloudsim(m.T, onlyBlock(m.T, "provider: cloudscale", setup).text))
	m.write("etc/keepalived/keepalived.conf", onlyBlock(m.T, "vrrp_notify_fifo", in("keepalived", setup)).text+instance)
	shells := in("sh", setup)
	m.do(onlyBlock(m.T, "chown", shells).text)
	checks := onlyBlock(m.T, "floaty --check", shells)
	out, err := m.run(checks.text)
	if checks.comment != "exits 1" || err == nil || !strings.Contains(out, "1 to move") {
		m.Errorf("%s: got %v and\n%s\nwant exit status 1, because the address is elsewhere, and a comment about that in the README", m.name, err, out)
	}
	m.do(onlyBlock(m.T, "systemctl enable --now floaty", shells).text)
}

// verify runs the README's checks of a running service, and the plugin for Nagios.
func (m *machine) verify(state string) {
	m.Helper()
	out := m.do(onlyBlock(m.T, "floaty --status", blocksOf(m.T, "README.md", "Verify")).text)
	if !strings.Contains(out, floating) || !strings.Contains(out, state) {
		m.Errorf("%s: the status is\n%s\nwant %s and %s in it", m.name, out, floating, state)
	}
	m.eventually("the plugin reports OK", 15*time.Second, func() error {
		out, err := m.run("runuser -u floaty -- /usr/lib/nagios/plugins/check_floaty /etc/floaty.yml")
		if err == nil && !strings.HasPrefix(out, "FLOATY OK") {
			err = fmt.Errorf("got %q, want FLOATY OK", out)
		}
		return err
	})
}
