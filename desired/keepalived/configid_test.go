package keepalived

import (
	"os/exec"
	"strings"
	"testing"
)

func TestConfigIDOfACommandLine(t *testing.T) {
	for args, want := range map[string]string{
		"":                              "",
		"-i east":                       "east",
		"-ieast":                        "east",
		"-nli east -P":                  "east",
		"-nPieast":                      "east",
		"--config-id east":              "east",
		"--config-id=east":              "east",
		"--config-i=east":               "east",
		"--config-test=east":            "",
		"-f -i -P":                      "", // -i is the name of a file here
		"-fi east":                      "",
		"-ti east":                      "",
		"-i east --config-id west":      "west",
		"-D -i east -f /etc/k.conf":     "east",
		"-f /etc/k.conf -p x -i east":   "east",
		"-- -i east":                    "",
		"-i":                            "",
		"--use-file=/etc/k -n -u 1 -iX": "X",
	} {
		if got := configID(strings.Fields(args)); got != want {
			t.Errorf("keepalived %s: got %q, want %q", args, got, want)
		}
	}
}

func TestConfigIDOfARunningProcess(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read x", "-i", "east") // sh treats these as positional parameters
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	eventually(t, func() (string, bool) { // the kernel shows the command line a moment after Start returns
		var ok bool
		id, ok = ConfigID(cmd.Process.Pid)
		return "the command line is empty", ok
	})
	_ = in.Close()
	_ = cmd.Wait() // it fails, because read found the end of its input
	if id != "east" {
		t.Errorf("got %q, want east", id)
	}
	if id, ok := ConfigID(cmd.Process.Pid); ok {
		t.Errorf("ended process: got config ID %q, want none", id)
	}
}
