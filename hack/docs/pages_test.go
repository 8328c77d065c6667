package docs_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pages returns the paths of all pages for operators.
func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("*.md")
	if err != nil || len(list) == 0 {
		t.Fatalf("listing the pages: got %v, %v", list, err)
	}
	return append(list, root+"/README.md", root+"/CHANGELOG.md")
}

// A block is a fenced block of a page.
type block struct {
	page       string
	line       int    // of its fence, from 1
	language   string // empty: none given
	text       string
	directives map[string]string // of the comments above it, such as "not run": "needs an account"
}

func (b block) String() string { return fmt.Sprintf("%s:%d", filepath.Base(b.page), b.line) }

var directive = regexp.MustCompile(`^<!-- (not run|service|file|exits|prints|keys):? ?(.*?) ?-->$`)

// blocks returns the fenced blocks of a page, or the displays of a manual.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	if filepath.Dir(page) == "man" {
		return displays(t, page)
	}
	var all []block
	var open *block
	indent := "" // of the fence
	directives := map[string]string{}
	for i, line := range strings.Split(read(t, page), "\n") {
		switch fence, isFence := strings.CutPrefix(strings.TrimLeft(line, " "), "```"); {
		case isFence && open == nil:
			indent = line[:len(line)-len("```")-len(fence)]
			open = &block{page: page, line: i + 1, language: fence, directives: directives}
			directives = map[string]string{}
		case isFence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		default:
			if m := directive.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				directives[m[1]] = m[2]
			} else if strings.TrimSpace(line) != "" {
				directives = map[string]string{}
			}
		}
	}
	if open != nil {
		t.Errorf("%v: the block has no end", open)
	}
	return all
}

// displays returns the literal displays of a manual in mdoc. Their directives are comments, and their first word determines the language.
func displays(t *testing.T, manual string) []block {
	t.Helper()
	languages := map[string]string{"floaty": "sh", "provider:": "yaml", "global_defs": "keepalived"}
	var all []block
	parts := strings.Split(read(t, manual), ".Bd -literal -offset indent\n")
	line := 1
	for i, part := range parts[1:] {
		line += strings.Count(parts[i], "\n")
		text, _, _ := strings.Cut(part, ".Ed\n")
		first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		b := block{page: manual, line: line + i, language: languages[strings.TrimSpace(first)], text: text, directives: map[string]string{}}
		if m := regexp.MustCompile(`\.\\" (\w+): (\w+)\n$`).FindStringSubmatch(parts[i]); m != nil {
			b.directives[m[1]] = m[2]
		}
		all = append(all, b)
	}
	return all
}

// languages are the languages that a block may have. The other tests run sh, and check yaml and keepalived.
var languages = []string{"sh", "yaml", "keepalived", "json", "log", "text"}

func TestEveryBlockIsRunOrMarked(t *testing.T) {
	var marked []string
	for _, page := range slices.Concat(pages(t), manuals) {
		for _, b := range blocks(t, page) {
			reason, isMarked := b.directives["not run"]
			_, isOutput := b.directives["prints"]
			switch {
			case isMarked && reason == "":
				t.Errorf("%v: not run, but no reason is given", b)
			case isMarked:
				marked = append(marked, fmt.Sprintf("%v: %s", b, reason))
			case !slices.Contains(languages, b.language):
				t.Errorf("%v: got the language %q, want one of %q, or a mark that says why it is not run", b, b.language, languages)
			case b.language == "text" && !isOutput && regexp.MustCompile(`(?m)^\s*(\$ |floaty |systemctl |sudo )`).MatchString(b.text):
				t.Errorf("%v: a command is in a block of plain text, where nothing runs it:\n%s", b, b.text)
			}
		}
	}
	t.Logf("%d blocks are not run:\n%s", len(marked), strings.Join(marked, "\n"))
	if said := distinct(`\*\*(\d+) blocks\*\*`, read(t, "README.md")); !slices.Equal(said, []string{strconv.Itoa(len(marked))}) {
		t.Errorf("README.md of this folder says that %v blocks are not run, want %d:\n%s", said, len(marked), strings.Join(marked, "\n"))
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fences = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

func TestLinksLeadSomewhere(t *testing.T) {
	list := pages(t)
	more, err := filepath.Glob("../decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range slices.Concat(list, more, []string{"../CONTRIBUTING.md", "../glossary.md"}) {
		for _, m := range link.FindAllStringSubmatch(fences.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, heading, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads to no file", page, m[1])
			} else if heading != "" && !slices.Contains(headings(t, target), heading) {
				t.Errorf("%s: the link %s names no heading of the page, which has %q", page, m[1], headings(t, target))
			}
		}
	}
	index := read(t, "README.md")
	for _, page := range list {
		if filepath.Dir(page) == "." && page != "README.md" && !strings.Contains(index, "]("+page+")") {
			t.Errorf("README.md of this directory has no link to %s", page)
		}
	}
}

// headings returns the anchors of a page's headings, as GitHub makes them.
func headings(t *testing.T, page string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(read(t, page), -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

func TestREADMEAndGlossaryAreShort(t *testing.T) {
	if lines := strings.Count(read(t, root+"/README.md"), "\n"); lines > 150 {
		t.Errorf("README.md has %d lines, want at most 150", lines)
	}
	if lines := strings.Count(read(t, "../glossary.md"), "\n"); lines > 60 {
		t.Errorf("the glossary has %d lines, want at most 60", lines)
	}
}

// Users of floaty 1.x must find every key and flag on the page about upgrades, as kept, changed or new.
func TestTheUpgradePageNamesEveryKeyAndFlag(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "configuration.md"), "| key | default | |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	text := read(t, "upgrade.md")
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, key := range distinct("`([^`]*)`", cell) {
			section, _, _ := strings.Cut(key, ".")
			if !strings.Contains(text, "`"+key+"`") && !strings.Contains(text, "`"+section+".*`") && (section == key || section != "instances") {
				t.Errorf("upgrade.md does not name the key %s", key)
			}
		}
	}
	for _, name := range flags(t) {
		if name != "help" && !strings.Contains(text, spelt(name)+"`") && !strings.Contains(text, spelt(name)+" ") {
			t.Errorf("upgrade.md does not name the flag %s", spelt(name))
		}
	}
}

// Log lines are quoted in blocks of the language log, and in the first column of tables headed "log line".
func TestQuotedLogLinesExist(t *testing.T) {
	literals := literals(t)
	quotes := 0
	for _, page := range pages(t) {
		var quoted []string
		for _, b := range blocks(t, page) {
			if b.language == "log" {
				for line := range strings.Lines(b.text) {
					quoted = append(quoted, regexp.MustCompile(` [a-z]+=.*`).ReplaceAllString(regexp.MustCompile(`^(INFO|ERROR) +`).ReplaceAllString(strings.TrimSpace(line), ""), ""))
				}
			}
		}
		for _, table := range strings.Split(read(t, page), "\n| log line |")[1:] {
			table, _, _ = strings.Cut(table, "\n\n")
			for _, row := range strings.Split(table, "\n")[2:] {
				cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
				found := distinct("`([^`]*)`", cell)
				if len(found) == 0 {
					t.Errorf("%s: the row %q quotes no log line", page, row)
				}
				quoted = append(quoted, found...)
			}
		}
		for _, message := range quoted {
			quotes++
			if !slices.ContainsFunc(literals, func(s string) bool { return strings.Contains(s, message) }) {
				t.Errorf("%s quotes the log line %q, which no string of the program has", page, message)
			}
		}
	}
	if quotes == 0 {
		t.Error("no page quotes a log line: has the form of the tables changed?")
	}
}

// literals returns all string literals of the program.
func literals(t *testing.T) []string {
	t.Helper()
	all := map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, _ := strconv.Unquote(literal.Value)
				all[text] = true
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(all))
}

// The tests that a decision names as evidence must still exist, and a decision must stay short.
func TestDecisionsAreShortAndNameTestsThatExist(t *testing.T) {
	paths, err := filepath.Glob("../decisions/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("listing the decisions: got %v, %v", paths, err)
	}
	exist := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() != ".." && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, name := range distinct(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`, read(t, path)) {
			exist[name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text := read(t, path)
		if lines := strings.Count(text, "\n"); lines > 40 {
			t.Errorf("%s has %d lines, want at most 40", path, lines)
		}
		for _, name := range distinct("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`", text) {
			if !exist[name] {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
	}
}
