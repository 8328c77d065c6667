package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                           "reading: not a regular file",
		fifo:                          "reading: not a regular file", // without waiting for a writer
		"/dev/zero":                   "reading: not a regular file",
		filepath.Join(dir, "missing"): "reading: no such file or directory",
	} {
		_, err := Load(path)
		if got, want := fmt.Sprint(err), path+": "+want; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAHugeFileIsNotRead(t *testing.T) {
	path := write(t, "floaty.yml", strings.Repeat("# a comment\n", 100000))
	_, err := Load(path)
	if got, want := fmt.Sprint(err), path+": reading: larger than 1024 kB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAHugeTokenFileIsNotRead(t *testing.T) {
	path := write(t, "token", strings.Repeat("a", 20000))
	_, err := parse("/f", []byte("provider: cloudscale\ncloudscale: {token-file: "+path+"}\n"))
	if got, want := fmt.Sprint(err), "/f: cloudscale.token-file: "+path+": reading: larger than 16 kB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestManyAliasesOfALongTextAreReadQuickly(t *testing.T) {
	text := strings.Repeat("x", maxFileBytes/2)
	for _, file := range []string{
		"provider: &x " + text + "\nmanaged-addresses: [" + strings.Repeat("*x,", 20000) + "]\n",
		"provider: &x " + text + "\ninstances: {" + strings.Repeat("*x : 1,", 20000) + "}\n",
	} {
		before := used(t)
		if _, err := parse("/f", []byte(file)); err == nil {
			t.Error("got no error, want one")
		}
		if got := used(t) - before; got > 5*time.Second { // it takes 0.1 s, or 8 s if the text is processed once per alias
			t.Errorf("got %v of CPU time used, want at most 5s", got)
		}
	}
}

// used returns the CPU time that this process has used. Unlike elapsed time, it does not grow because the machine is busy.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestALongListOfProblemsIsShortened(t *testing.T) {
	file := "provider: cloudscale\ncloudscale: {token: abc}\nmanaged-addresses: [" + strings.Repeat("x,", 1000) + "]\n"
	_, err := parse("/f", []byte(file))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %T, want Problems", err)
	}
	if got, want := len(problems), 1000; got != want {
		t.Errorf("got %d problems, want %d", got, want)
	}
	lines := strings.Split(err.Error(), "\n")
	if got, want := len(lines), 21; got != want {
		t.Errorf("got %d lines, want %d", got, want)
	}
	if got, want := lines[20], "/f: and 980 more problems"; got != want {
		t.Errorf("got last line %q, want %q", got, want)
	}
}

func TestAProblemNamesFileAndKey(t *testing.T) {
	_, err := parse("/etc/floaty.yml", []byte("provider: cloudscale\ncloudscale: {tokn: abc, token: abc}\n"))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("got %v, want one problem", err)
	}
	got := problems[0]
	got.Text = ""
	if want := (Problem{File: "/etc/floaty.yml", Key: "cloudscale.tokn"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAMissingSecretFileIsWatched(t *testing.T) {
	_, err := Load("testdata/token-file-missing.bad.yml")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want Problems", err)
	}
	want := []string{absolute(t, "testdata/token-file-missing.bad.yml"), absolute(t, "testdata/missing")}
	if got := problems.Files(); !slices.Equal(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
}

func TestLockSettingsAreReadFromAnUnusableFile(t *testing.T) {
	defaultValue := defaults().Lock
	for _, c := range []struct {
		text string
		want Lock
	}{
		{"lock-file-template: /run/x-%s\nlock-timeout: 3s\nprovider: nonsense\nunknown: 1\n", Lock{"/run/x-%s", 3 * time.Second}},
		{"lock-file-template: /run/x\nlock-timeout: 3s\n", Lock{defaultValue.FileTemplate, 3 * time.Second}},
		{"{{{", defaultValue},
		{"", defaultValue},
	} {
		path := filepath.Join(t.TempDir(), "floaty.yml")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := LoadLock(path); got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.text, got, c.want)
		}
	}
	if got := LoadLock(filepath.Join(t.TempDir(), "nothing")); got != defaultValue {
		t.Errorf("no file: got %+v, want %+v", got, defaultValue)
	}
}
