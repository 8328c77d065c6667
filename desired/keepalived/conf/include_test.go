package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// library creates files to include, and returns their directory.
func library(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"inc/v.txt":          "10.0.0.1\n10.0.0.2\n",
		"inc/half.txt":       "10.0.0.3\n}\n}\n",
		"inc/sub.txt":        "include deeper/x.txt\n10.0.0.5",
		"inc/deeper/x.txt":   "10.0.0.4",
		"inc/def.txt":        "$D=10.0.0.77\n",
		"inc/deeper/pwd.txt": instance("Z", 16, "include ${_PWD}/x.txt"),
		"inc/deeper/vip.txt": "include ${P}",
		"inc/x1.conf":        instance("X1", 11, "10.0.1.1"),
		"inc/x2.conf":        instance("X2", 12, "10.0.1.2"),
		"inc/.x3.conf":       instance("X3", 13, "10.0.1.3"),
		"inc/exec.conf":      instance("X4", 14, "10.0.1.4"),
		"inc/dir.d/y.conf":   instance("Y", 15, "10.0.1.5"),
	} {
		write(t, dir, name, text)
	}
	if err := os.Chmod(filepath.Join(dir, "inc/exec.conf"), 0o700); err != nil { //nolint:gosec // it must be executable
		t.Fatal(err)
	}
	return dir
}

var included = []struct{ name, text, want string }{
	{"within a block", vi("include inc/v.txt", "10.0.0.8", "include inc/sub.txt", "10.0.0.9"), "A: 10.0.0.1/32 10.0.0.2/32 10.0.0.8/32 10.0.0.4/32 10.0.0.5/32 10.0.0.9/32"},
	{"half a block", "vrrp_instance A {\n interface eth0\n virtual_router_id 1\nvirtual_ipaddress {\ninclude inc/half.txt\n" + instance("B", 2, "10.0.0.5"), "A: 10.0.0.3/32; B: 10.0.0.5/32"},
	{"a pattern, sorted, without hidden files", "include inc/x*.conf\ninclude inc/*x3.conf\ninclude inc/*.nope\n" + vi("10.0.0.1"), "X1: 10.0.1.1/32; X2: 10.0.1.2/32; A: 10.0.0.1/32"},
	{"a pattern of directories", "include inc/*.d/*.conf\n", "Y: 10.0.1.5/32"},
	{"a list, in its order", "include inc/{x2,x1,nope}.conf\n" + vi("10.0.0.1"), "X2: 10.0.1.2/32; X1: 10.0.1.1/32; A: 10.0.0.1/32"},
	{"a missing file", "include inc/nope.conf\n" + vi("10.0.0.1"), "A: 10.0.0.1/32"},
	{"executables and directories are ignored", "include inc/exec.conf\ninclude inc/dir.d\ninclude inc\n" + vi("10.0.0.1"), "A: 10.0.0.1/32"},
	{"the path is the rest of the line", "include \"inc/x1.conf\"\ninclude inc/x1.conf inc/x2.conf\n" + vi("10.0.0.1"), "A: 10.0.0.1/32"},
	{"a definition in an included file", "include inc/def.txt\n" + vi("$D"), "A: 10.0.0.77/32"},
	{"the directory of a file", "include ${_PWD}/inc/x*.conf\ninclude inc/deeper/pwd.txt\n", "X1: 10.0.1.1/32; X2: 10.0.1.2/32; Z: 10.0.0.4/32"},
	{"the directory of the file that uses it", "$P=${_PWD}/x.txt\n" + vi("include ${_PWD}/inc/deeper/vip.txt"), "A: 10.0.0.4/32"},
	{"a path with definitions", "$P=inc/x1.conf\ninclude $P\n$Q=inc\ninclude ${Q}/x2.conf\n", "X1: 10.0.1.1/32; X2: 10.0.1.2/32"},
	{"a condition", "@host include inc/x1.conf\n@no include inc/x2.conf\n" + vi("10.0.0.1"), "X1: 10.0.1.1/32; A: 10.0.0.1/32"},
	{"white space", "\tinclude\tinc/x1.conf\t\n" + vi("10.0.0.1"), "X1: 10.0.1.1/32; A: 10.0.0.1/32"},
	{"words that do not include anything", "includex inc/x1.conf\ninclude\n\"include\" inc/x1.conf\n" + vi("10.0.0.1"), "A: 10.0.0.1/32"},
	{
		"stricter keywords without an error", "includer inc/nope.conf\nincludem inc/*.nope\nincludeb inc/nope.conf\nincludew inc/x*.conf\nincludea inc/{x1,x2}.conf\n" + vi("10.0.0.1"),
		"X1: 10.0.1.1/32; X2: 10.0.1.2/32; A: 10.0.0.1/32",
	},
}

func TestIncludes(t *testing.T) {
	for _, c := range included {
		t.Run(c.name, func(t *testing.T) {
			dir := library(t)
			got, err := Parse(write(t, dir, "k.conf", c.text), Options{ID: hostID})
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(got); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestInvalidIncludesAreErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"includem inc/nope.conf\n", ":1: include inc/nope.conf: there is no such file, which includem does not allow"},
		{"includew inc/nope.conf\n", ":1: include inc/nope.conf: there is no such file, which includew does not allow"},
		{"includew inc/*.nope\n", ":1: include inc/*.nope: nothing matches, which includew does not allow"},
		{"includeb inc/{x1,nope}.conf\n", ":1: include inc/nope.conf: there is no such file, which includeb does not allow"},
		{"includea inc/{x1,nope}.conf\n", ":1: include inc/nope.conf: there is no such file, which includea does not allow"},
		{"includer inc/exec.conf\n", "inc/exec.conf: not a regular file, or executable: Keepalived ignores it, which includer does not allow"},
		{"includeb inc/dir.d\n", "inc/dir.d: not a regular file, or executable: Keepalived ignores it, which includeb does not allow"},
		{"include ~root/x\n", ":1: include ~root/x: ~ is not supported: write the path"},
		{"include $P\n", ":1: include $P: it contains an undefined definition"},
		{"include ${_RANDOM}/x\n", ":1: include $_RANDOM/x: it contains an undefined definition"},
		{"include inc/{a,{b}}\n", ":1: include inc/{a,{b}}: braces within braces, or not closed, are not supported"},
		{"include inc/a}\n", ":1: include inc/a}: a } without {"},
		{"include inc/[a\n", ":1: include inc/[a: syntax error in pattern"},
		{"include k.conf\n", ":1: include k.conf: files nested more than 32 deep: does one include itself?"},
		{"$P=include inc/x1.conf\n$P\n", ":2: an include that comes from a definition or a repetition is not supported: write the path itself"},
		{"include inc/bad.conf\n", "inc/bad.conf:2: the { of vrrp_instance A is never closed"},
	} {
		dir := library(t)
		write(t, dir, "inc/bad.conf", "\nvrrp_instance A {\n")
		path := write(t, dir, "k.conf", c.text)
		if _, err := Parse(path, Options{ID: hostID}); err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%q: got %v, want …%s", c.text, err, c.want)
		}
	}
}

func TestAnUnreadableIncludeIsAnError(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := library(t)
	for _, locked := range []string{"inc/x1.conf", "inc/dir.d"} {
		if err := os.Chmod(filepath.Join(dir, locked), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"inc/x1.conf", "inc/x*.conf", "inc/dir.d/*.conf"} {
		_, err := Parse(write(t, dir, "k.conf", "include "+pattern+"\n"), Options{ID: hostID})
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: got %v, want permission denied", pattern, err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "inc/dir.d"), 0o700); err != nil { //nolint:gosec // a directory
		t.Fatal(err)
	}
}

func TestWatchCoversEveryFileAndDirectoryThatMatters(t *testing.T) {
	dir := library(t)
	text := "include inc/x1.conf\ninclude inc/*.d/y*.conf\ninclude other/*.conf\ninclude inc/nope.conf\n"
	got, err := Parse(write(t, dir, "k.conf", text), Options{ID: hostID})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range []string{"inc", "inc/dir.d", "inc/dir.d/y.conf", "inc/nope.conf", "inc/x1.conf", "k.conf", "other"} {
		want = append(want, filepath.Join(dir, name))
	}
	if !slices.Equal(got.Watch, want) {
		t.Errorf("got  %q\nwant %q", got.Watch, want)
	}
}

func TestTheDefaultIDIsTheHostNameUpToItsFirstDot(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(host, ".")
	got, err := Parse(write(t, t.TempDir(), "k.conf", vi("@"+id+" 10.0.0.1", "@^"+id+" 10.0.0.2")), Options{})
	if err != nil || summary(got) != "A: 10.0.0.1/32" {
		t.Errorf("got %v, %v, want A: 10.0.0.1/32", summary(got), err)
	}
}
