package testenv

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

// raceStatus is the exit status of a floaty in which the race detector found a data race.
const raceStatus = 66

// RunTests builds floaty, passes its path to use, runs a package's tests, at most parallel at a time, and returns the exit status.
//
// With -race, floaty is built with the race detector, too. Such a floaty ends at the first race found, and any report makes the
// tests fail, even if Keepalived started that floaty.
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
			os.Setenv("GORACE", raceOptions(reports)), // for programs started from now on
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

// raceOptions returns GORACE (https://go.dev/doc/articles/race_detector). By default, each program sleeps for 1 s before it ends, so
// that late races are still found; that is turned off here.
func raceOptions(reports string) string {
	return fmt.Sprintf("%s halt_on_error=1 exitcode=%d atexit_sleep_ms=0 log_path=%s", os.Getenv("GORACE"), raceStatus, reports)
}

func broken(err error) (status int) {
	_, _ = fmt.Fprintln(os.Stderr, err)
	return 1
}

// printReports prints the race detector's reports, one file per process, and returns their number.
func printReports(w io.Writer, path string) int {
	files, _ := filepath.Glob(path + ".*") // the pattern is valid
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // no foreign input
		if err != nil {
			text = []byte(err.Error())
		}
		_, _ = fmt.Fprintf(w, "data race in floaty:\n%s\n", text)
	}
	return len(files)
}
