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
		"-f -i -P":                      "", // a file of that name
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
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read x", "-i", "east") // to a shell these are mere arguments
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	eventually(t, func() (string, bool) { // Start returns a moment before the kernel shows the command line
		var ok bool
		id, ok = ConfigID(cmd.Process.Pid)
		return "the command line is empty", ok
	})
	_ = in.Close()
	_ = cmd.Wait() // it has read nothing
	if id != "east" {
		t.Errorf("got %q, want east", id)
	}
	if id, ok := ConfigID(cmd.Process.Pid); ok {
		t.Errorf("ended: got %q, want that it is not known", id)
	}
}
