package stage

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// raceStatus is the exit status of a floaty that has found a data race in itself.
const raceStatus = 66

// RunTests builds floaty, tells use where it is, runs a package's tests, parallel of them at a time, and returns the exit status.
//
// With -race floaty has the race detector in it too. It ends with the first race that it finds; the report of each, whoever started
// that floaty, fails the tests.
func RunTests(run func() int, parallel int, use func(program string) error) (status int) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "floaty-test-")
	if err != nil {
		return broken(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	reports := filepath.Join(dir, "race")
	program, err := Build(context.Background(), dir)
	if err == nil {
		err = errors.Join(
			use(program),
			flag.Set("test.parallel", strconv.Itoa(parallel)),
			os.Setenv("GORACE", raceOptions(reports)), // counts for programs that are started from now on
		)
	}
	if err != nil {
		return broken(err)
	}
	status = run()
	if printReports(os.Stdout, reports) > 0 {
		return 1
	}
	return status
}

// raceOptions are those of the race detector (https://go.dev/doc/articles/race_detector). By default it lets each program wait for 1 s
// at its end, for races that still may show.
func raceOptions(reports string) string {
	return fmt.Sprintf("%s halt_on_error=1 exitcode=%d atexit_sleep_ms=0 log_path=%s", os.Getenv("GORACE"), raceStatus, reports)
}

func broken(err error) (status int) {
	_, _ = fmt.Fprintln(os.Stderr, err)
	return 1
}

// printReports prints what the race detector has reported, a file for each process, and returns how many they are.
func printReports(w io.Writer, path string) int {
	files, _ := filepath.Glob(path + ".*") // our own pattern
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // our own
		if err != nil {
			text = []byte(err.Error())
		}
		_, _ = fmt.Fprintf(w, "floaty has found a data race in itself:\n%s\n", text)
	}
	return len(files)
}
