package keepalived

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// find is findProcess, with the process closed at the end of the test.
func (w *world) find() (*process, error) {
	p, err := findProcess(w.opts.PIDFile)
	w.t.Cleanup(p.close)
	return p, err
}

func TestAVRRPProcessIsKnownByItsPIDFile(t *testing.T) {
	w := newWorld(t)
	k := w.process("keepalived")
	for _, form := range []string{"%d\n", "%d", " %d \n"} {
		w.pidFile(fmt.Sprintf(form, k.cmd.Process.Pid))
		p, err := w.find()
		if err != nil || p.pid != k.cmd.Process.Pid || !p.alive() {
			t.Errorf("%q: got %+v, %v, want the process, alive", form, p, err)
		}
	}
	p, err := w.find()
	if err != nil {
		t.Fatal(err)
	}
	k.kill()
	if p.alive() {
		t.Error("got it alive after its end, want it dead")
	}
}

func TestAPIDFileThatCountsForNothing(t *testing.T) {
	w := newWorld(t)
	dead := w.process("keepalived")
	dead.kill()
	for what, text := range map[string]string{
		"nothing":               "",
		"no number":             "keepalived\n",
		"two numbers":           "1 2\n",
		"zero":                  "0\n",
		"a group":               "-1\n",
		"a huge number":         "99999999999999999999\n",
		"no process":            "4194304\n", // the kernel's highest pid is one less
		"an ended one":          strconv.Itoa(dead.cmd.Process.Pid),
		"one of another name":   strconv.Itoa(os.Getpid()),
		"a name that is longer": strconv.Itoa(w.process("keepalived2").cmd.Process.Pid),
		"a name with a trap":    strconv.Itoa(w.process("keepalived) R (").cmd.Process.Pid),
		"a name with a trap 2":  strconv.Itoa(w.process("x (keepalived)").cmd.Process.Pid),
	} {
		w.pidFile(text)
		if p, err := w.find(); err == nil || p != nil {
			t.Errorf("%s, %q: got %+v, %v, want an error", what, text, p, err)
		}
	}
	if err := os.Remove(w.opts.PIDFile); err != nil {
		t.Fatal(err)
	}
	if p, err := w.find(); err == nil || p != nil {
		t.Errorf("no pid file: got %+v, %v, want an error", p, err)
	}
}

func TestALaterProcessWithTheSamePIDIsAnother(t *testing.T) {
	w := newWorld(t)
	k := w.process("keepalived")
	k.registers()
	p, err := w.find()
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.find()
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields(string(stat))[21]; p.start != want { // proc(5): the 22nd; its name has no blank
		t.Errorf("start time: got %q, want %q", p.start, want)
	}
	if !p.same(again) || !again.same(p) {
		t.Errorf("got %+v and %+v as two, want one", p, again)
	}
	earlier := &process{pid: p.pid, start: "1", fd: -1} // what had this pid before, on a kernel without pidfd
	if p.same(earlier) || earlier.same(p) {
		t.Errorf("got %+v and %+v as one, want two", p, earlier)
	}
	if earlier.alive() {
		t.Errorf("got %+v alive, want its pid to be another's", earlier)
	}
	var nobody *process
	if nobody.same(p) || p.same(nobody) || nobody.same(nobody) || nobody.alive() {
		t.Error("got a process that is not known as one that is, want it to be nobody")
	}
}

func TestWithoutAPIDFDTheStartTimeTells(t *testing.T) {
	w := newWorld(t)
	k := w.process("keepalived")
	k.registers()
	p, err := w.find()
	if err != nil {
		t.Fatal(err)
	}
	old := &process{pid: p.pid, start: p.start, fd: -1}
	if !old.alive() {
		t.Errorf("got %+v dead, want it alive", old)
	}
	k.kill()
	if old.alive() {
		t.Errorf("got %+v alive after its end, want it dead", old)
	}
}
