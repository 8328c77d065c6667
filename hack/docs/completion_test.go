package docs_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shells maps a shell to a function that lets it complete the last word of a line, and returns the completions offered.
var shells = map[string]func(t *testing.T, line string) []string{
	"bash": func(t *testing.T, line string) []string {
		t.Helper()
		const script = `source "$1"; complete -p floaty >/dev/null || exit 1
			read -ra COMP_WORDS <<<"$2"; [[ $2 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			_floaty; printf '%s\n' "${COMPREPLY[@]}"`
		return shell(t, "bash", "--norc", "-c", script, "bash", completions(t)+"/floaty.bash", line)
	},
	"fish": func(t *testing.T, line string) []string {
		t.Helper()
		found := shell(t, "fish", "--no-config", "-c", `source $argv[1]; complete -C "$argv[2]"`, completions(t)+"/floaty.fish", line)
		for i, each := range found {
			found[i], _, _ = strings.Cut(each, "\t") // without its description
		}
		return found
	},
	"zsh": func(t *testing.T, line string) []string {
		t.Helper()
		var found []string
		for _, each := range shell(t, "zsh", "-f", "-c", zshCapture, "zsh", completions(t), line) {
			if _, hit, ok := strings.Cut(each, "HIT "); ok {
				found = append(found, strings.TrimSpace(hit))
			}
		}
		return found
	},
}

// zshCapture starts an interactive zsh on its own terminal, types a line and a tab, and prints the arguments of compadd.
const zshCapture = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; stty -echo; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w z 'compadd() {
	local -a hits
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
	builtin compadd -A hits "$@"
	local hit; for hit in $hits; do print -r -- "HIT $hit"; done
	builtin compadd "$@"
}
leave() { print DONE; exit }
bindkey "^I" complete-word; zle -C complete-word complete-word _main_complete; zle -N leave; bindkey "^T" leave; print READY'
until [[ $line == READY* ]]; do zpty -r z line || exit 1; done
zpty -w -n z "$2"$'\t\x14'
while zpty -r z line; do print -r -- $line; [[ $line == *DONE* ]] && break; done
exit 0
`

func completions(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../packaging/completion")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// shell runs a shell in a directory that contains floaty.yml and keepalived.fifo, and returns the lines that it prints, sorted.
func shell(t *testing.T, name string, args ...string) []string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/floaty.yml", "")
	write(t, dir+"/keepalived.fifo", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a shell that waits for input must not block the tests
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // no foreign input
	cmd.WaitDelay = time.Second
	cmd.Dir = dir
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "TERM=xterm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return slices.DeleteFunc(slices.Compact(lines), func(s string) bool { return s == "" })
}

func TestTheShellsComplete(t *testing.T) {
	var all []string
	for _, name := range flags(t) {
		all = append(all, spelt(name))
	}
	states := []string{"MASTER", "BACKUP", "FAULT", "STOP", "DELETED"}
	files := []string{"floaty.yml", "keepalived.fifo"}
	cases := []struct {
		line string
		want []string
	}{
		{"floaty -", all},
		{"floaty --che", []string{"--check"}},
		{"floaty --check --output ", []string{"text", "json"}},
		{"floaty ", files},
		{"floaty --fifo floaty.yml ", files},
		{"floaty --check --output json floaty.yml ", files},
		{"floaty --test floaty.yml ", nil},
		{"floaty floaty.yml ", []string{"INSTANCE", "GROUP"}},
		{"floaty --dry-run floaty.yml ", []string{"INSTANCE", "GROUP"}},
		{"floaty floaty.yml INSTANCE VI_1 ", states},
	}
	for name, complete := range shells {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed", name)
			}
			for _, c := range cases {
				differ(t, c.line, complete(t, c.line), c.want)
			}
		})
	}
}
