package keepalived

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newEnvWithState is like newEnvWithFIFO, but its Listener saves its states in a directory that does not exist yet, and A has a local
// address.
func newEnvWithState(t *testing.T) *testEnv {
	t.Helper()
	env := newEnvWithFIFO(t)
	env.opts.StateFile = filepath.Join(filepath.Dir(env.opts.Path), "state", "floaty.states")
	env.Listener = New(env.opts)
	env.setVIP("A", true)
	return env
}

// kill ends the Listener as kill -9 would. restart creates the next one.
func (env *testEnv) kill() {
	env.fifo.current.close()
	env.fifo.next.close()
	env.trust.vrrp.search.end()
	env.trust.vrrp.process.Close()
	env.stateFile.close()
	env.waitUnlocked()
}

func (env *testEnv) restart() { env.Listener = New(env.opts) }

func (env *testEnv) saved() string {
	env.t.Helper()
	data, err := os.ReadFile(env.opts.StateFile)
	if err != nil {
		env.t.Fatal(err)
	}
	return string(data)
}

func TestMasterSurvivesARestartOfFloaty(t *testing.T) {
	env := newEnvWithState(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" BACKUP 100`)
	env.step(0)
	before := env.last().Instances["A"]
	env.kill()
	env.restart()
	env.step(time.Second)
	env.wantLast("writer: A MASTER?, B BACKUP?")
	env.step(settleTime)
	env.wantLast("writer: A MASTER, B BACKUP")
	if after := env.last().Instances["A"]; !after.Since.Equal(before.Since) || after.Claims != 0 {
		t.Errorf("got %+v, want it MASTER since %v, without a claim", after, before.Since)
	}
}

// On a reload, Keepalived starts the next floaty while the earlier one may still be saving its last states.
func TestTheNextRunWaitsUntilTheEarlierOneHasSaved(t *testing.T) {
	env := newEnvWithState(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	env.remakeFIFO()
	next := New(env.opts)
	k.openFIFO() // the new FIFO
	now := env.now.Add(time.Millisecond)
	next.pass(now)
	if len(next.trust.states) != 0 {
		t.Errorf("got %v, want no states loaded while the earlier run is alive", next.trust.states)
	}
	env.trust.states.set("A", Master, now) // read from the old FIFO
	env.stateFile.save(env.trust.vrrp.process, env.trust.states)
	env.fifo.current.close()
	env.trust.vrrp.process.Close()
	env.stateFile.close()
	eventually(t, func() (string, bool) {
		next.stateFile.mu.Lock()
		defer next.stateFile.mu.Unlock()
		return "the states that the earlier run saved are not read", next.stateFile.last != nil
	})
	for range 3 {
		now = now.Add(settleTime)
		next.pass(now)
	}
	if got := next.trust.states["A"]; got.State != Master || got.Suspended {
		t.Errorf("got %+v, want it MASTER and not suspended", got)
	}
	next.fifo.current.close()
	next.trust.vrrp.process.Close()
	next.stateFile.close()
}

func TestUnreadLinesWinOverSavedStates(t *testing.T) {
	env := newEnvWithState(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`, `INSTANCE "B" MASTER 100`)
	env.step(0)
	env.kill()
	k.say(`INSTANCE "A" BACKUP 100`)
	env.restart()
	env.step(time.Second)
	env.wantLast("writer: A BACKUP, B MASTER?")
	env.step(settleTime)
	env.wantLast("writer: A BACKUP, B MASTER") // no address of B is known
}

func TestASavedMasterIsForgotten(t *testing.T) {
	for what, meanwhile := range map[string]func(env *testEnv, k *fakeVRRP){
		"if its address is gone": func(env *testEnv, _ *fakeVRRP) { env.setVIP("A", false) }, // a BACKUP line was lost with the pipe
		"if its process has been replaced": func(env *testEnv, k *fakeVRRP) {
			k.kill()
			env.keepalived()
		},
		"after a reboot":                    func(env *testEnv, _ *fakeVRRP) { env.replace(env.stateFile.boot, "another") },
		"if it was read from another FIFO":  func(env *testEnv, _ *fakeVRRP) { env.replace(env.opts.Path, "/another") },
		"if its instance is not configured": func(env *testEnv, _ *fakeVRRP) { env.replace(`"A"`, `"NAMELESS"`) },
		"if the file is truncated": func(env *testEnv, _ *fakeVRRP) {
			if err := os.Truncate(env.opts.StateFile, 20); err != nil {
				env.t.Fatal(err)
			}
		},
		"if other users may write to the file": func(env *testEnv, _ *fakeVRRP) {
			if err := os.Chmod(env.opts.StateFile, 0o666); err != nil { //nolint:gosec // the mode under test
				env.t.Fatal(err)
			}
		},
		"if the file is a symbolic link": func(env *testEnv, _ *fakeVRRP) {
			if err := os.Rename(env.opts.StateFile, env.opts.StateFile+".old"); err != nil {
				env.t.Fatal(err)
			}
			if err := os.Symlink(env.opts.StateFile+".old", env.opts.StateFile); err != nil {
				env.t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			env := newEnvWithState(t)
			k := env.keepalived()
			k.say(`INSTANCE "A" MASTER 100`)
			env.step(0)
			env.wantLast("writer: A MASTER")
			env.kill()
			meanwhile(env, k)
			env.restart()
			env.reported = nil
			for range 15 {
				env.step(settleTime)
			}
			env.wantNever("A", Master)
			env.wantNever("NAMELESS", Master)
			if inst := env.last().Instances["A"]; inst.State != Unknown {
				t.Errorf("got %+v in the end, want it forgotten", inst)
			}
		})
	}
}

// replace replaces a text in the state file.
func (env *testEnv) replace(old, fresh string) {
	env.t.Helper()
	text := env.saved()
	if !strings.Contains(text, old) {
		env.t.Fatalf("%q is not in %s", old, text)
	}
	if err := os.WriteFile(env.opts.StateFile, []byte(strings.ReplaceAll(text, old, fresh)), 0o600); err != nil {
		env.t.Fatal(err)
	}
}

func TestSavedStatesDoNotCountWithoutAWriter(t *testing.T) {
	env := newEnvWithState(t)
	wr := env.writer() // its process is not identified
	wr.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.kill()
	wr.close()
	env.restart()
	env.reported = nil
	env.step(time.Second)
	env.step(awayAtMost)
	env.step(awayAtMost)
	env.wantNever("A", Master)
	env.wantLast("no writer: A unknown")
	if strings.Contains(env.saved(), "MASTER") {
		t.Errorf("got %s, want no MASTER in it", env.saved())
	}
}

// Keepalived ends floaty on each reload if it has started it. The process that is the writer at the second restart has not said MASTER, and
// nobody knows which process has.
func TestASecondRestartDoesNotMakeASavedMasterCredible(t *testing.T) {
	env := newEnvWithState(t)
	env.vips = nil
	wr := env.writer()
	wr.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.kill()
	wr.close()
	k := env.keepalived()
	env.restart()
	env.step(time.Second)
	env.wantLast("writer: A MASTER?")
	env.kill()
	env.restart()
	env.reported = nil
	env.step(time.Second)
	env.step(settleTime)
	env.wantNever("A", Master)
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	env.kill()
	env.restart()
	env.step(time.Second)
	env.step(settleTime)
	env.wantLast("writer: A MASTER")
}

// The disk may be slow, and the earlier run may end late.
func TestSavedStatesThatAreReadDuringASuspensionLeaveItsDoubts(t *testing.T) {
	for _, c := range []struct {
		what     string
		saved    record
		replaced bool // the process that said MASTER is not the one that has the FIFO open now
		want     string
	}{
		{"nothing was saved", record{}, false, "writer: A MASTER"},
		{"nothing was saved, and another process is the writer", record{}, true, "writer: A unknown"},
		{"another instance was saved", record{Instances: map[string]savedInstance{"B": {State: "BACKUP"}}}, true, "writer: A unknown, B unknown"},
	} {
		t.Run(c.what, func(t *testing.T) {
			env := newEnvWithState(t)
			env.vips = nil
			env.hangDisk()
			k := env.process("keepalived")
			k.writePIDFile()
			say, leave := k.say, k.closeFIFO
			if c.replaced {
				wr := env.writer()
				say, leave = wr.say, wr.close
			} else {
				k.openFIFO()
			}
			say(`INSTANCE "A" MASTER 100`)
			env.pass(env.now)
			leave()
			env.pass(env.now.Add(time.Millisecond))
			k.openFIFO()
			back := env.now.Add(probeEvery)
			env.pass(back)
			if c.saved.Instances != nil {
				c.saved.PID, c.saved.Start = k.cmd.Process.Pid, env.trust.vrrp.process.startText()
			}
			c.saved.FIFO, c.saved.Boot = env.opts.Path, env.stateFile.boot
			env.stateFile.mu.Lock()
			env.stateFile.last = &c.saved
			env.stateFile.mu.Unlock()
			env.pass(back.Add(time.Millisecond))
			env.pass(back.Add(time.Second))
			env.wantLast(c.want)
		})
	}
}

func TestLeavingMasterIsSavedAtOnceAndBecomingMasterAfterwards(t *testing.T) {
	env := newEnvWithState(t)
	k := env.keepalived()
	saved := func(state string) bool {
		data, _ := os.ReadFile(env.opts.StateFile) // it may not exist yet
		return strings.Contains(string(data), state)
	}
	was := Unknown
	env.opts.Changed = func(s Snapshot) {
		if s.Instances["A"].State == Master && was != Master && saved("MASTER") { // a search may end later, and change the PID
			t.Error("got MASTER saved before Changed has returned, want it saved afterwards")
		}
		was = s.Instances["A"].State
		if s.Instances["A"].State == Backup { // BACKUP is saved before this call has returned
			eventually(t, func() (string, bool) { return "BACKUP is not saved", saved("BACKUP") })
		}
	}
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	if !saved("MASTER") {
		t.Errorf("got %s, want MASTER in it", env.saved())
	}
	k.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
}

// hangDisk keeps the state file's goroutine from starting, as if the disk did not respond.
func (env *testEnv) hangDisk() { env.stateFile.done = make(chan struct{}) }

func TestAHangingDiskDelaysNoLine(t *testing.T) {
	env := newEnvWithState(t)
	env.hangDisk()
	k := env.keepalived()
	env.run()
	for _, state := range []string{"MASTER", "BACKUP", "MASTER", "FAULT"} {
		k.say(`INSTANCE "A" ` + state + ` 100`)
		if got, want := env.settle(), "writer: A "+state; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRunWaitsASecondForAHangingDisk(t *testing.T) {
	env := newEnvWithState(t)
	env.hangDisk()
	stop := env.run()
	begun := time.Now()
	stop()
	if took := time.Since(begun); took < saveAtEnd || took > 10*saveAtEnd {
		t.Errorf("got Run's return after %v, want it after about %v", took, saveAtEnd)
	}
	env.wantLogged("saving the states takes too long", 1)
}

func TestASecondDaemonDoesNotTouchTheSavedStates(t *testing.T) {
	env := newEnvWithState(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	before := env.saved()
	second := New(env.opts)
	second.pass(env.now)
	second.pass(env.now.Add(2 * awayAtMost))
	if got := env.saved(); got != before {
		t.Errorf("got %s, want %s", got, before)
	}
	if len(second.trust.states) != 0 {
		t.Errorf("got %v, want no states without the FIFO", second.trust.states)
	}
}

// umasked is the environment variable that tells the child process of a test to set its umask.
const umasked = "FLOATY_TEST_UMASKED"

// A umask applies to the whole process. If this process set it, other tests would create directories that only root can enter.
func TestOnlyTheOwnerMayReadTheSavedStates(t *testing.T) {
	if os.Getenv(umasked) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$") //nolint:gosec // this test
		child.Env = append(os.Environ(), umasked+"=1")
		out, err := child.CombinedOutput()
		if passed := "--- PASS: " + t.Name(); err != nil || !strings.Contains(string(out), passed) {
			t.Errorf("got %v and\n%s\nwant %q", err, out, passed)
		}
		return
	}
	env := newEnvWithState(t)
	k := env.keepalived()
	syscall.Umask(0o177) // the umask of Keepalived's scripts
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	k.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	for path, want := range map[string]os.FileMode{env.opts.StateFile: 0o600, filepath.Dir(env.opts.StateFile): 0o700 | os.ModeDir} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestAFailureToSaveIsLoggedOnceAndSavingIsRetried(t *testing.T) {
	env := newEnvWithState(t)
	dir := filepath.Dir(env.opts.StateFile)
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file in place of the directory stops even root
		t.Fatal(err)
	}
	k := env.keepalived()
	for _, state := range []string{"MASTER", "BACKUP", "MASTER"} {
		k.say(`INSTANCE "A" ` + state + ` 100`)
		env.step(0)
		env.wantLast("writer: A " + state)
	}
	env.wantLogged("saving the states failed", 1)
	env.wantLogged("saved again", 0)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	k.say(`INSTANCE "A" BACKUP 100`)
	env.step(0)
	if !strings.Contains(env.saved(), "BACKUP") {
		t.Errorf("got %s, want BACKUP in it", env.saved())
	}
	env.wantLogged("saved again", 1)
}

func TestNothingIsSavedWhileNothingChanges(t *testing.T) {
	env := newEnvWithState(t)
	k := env.keepalived()
	k.say(`INSTANCE "A" MASTER 100`)
	env.step(0)
	if err := os.Remove(env.opts.StateFile); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		env.step(time.Second)
	}
	if _, err := os.Stat(env.opts.StateFile); err == nil {
		t.Error("got the state file written again though nothing changed, want it not written")
	}
}
