package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"floaty/cmd/floaty/internal/printable"
	"floaty/cmd/floaty/internal/report"
)

// watchEvery is how often a status is shown anew.
const watchEvery = time.Second

// Control sequences of terminals (ECMA-48, and xterm's alternate screen).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	toTop       = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
	plainText   = "\x1b[0m"
)

// Watch shows the status every second, in the form that write gives it, until ctx ends, the terminal is closed, or out has no reader any
// more. On a terminal, Watch redraws it in place, waits for a daemon that has gone, and brings back what was there before, at the end and
// while Watch is stopped with Ctrl-Z. Elsewhere, it writes one status after another, and a daemon that has gone is an error.
func (c *Client) Watch(ctx context.Context, out io.Writer, write func(io.Writer, report.Status) error) error {
	if t, ok := newTerminal(out); ok {
		return c.watchOn(ctx, t, write)
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		status, err := c.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var text bytes.Buffer
		if err == nil {
			err = write(&text, status)
		}
		if err == nil {
			_, err = out.Write(text.Bytes())
		}
		if err != nil {
			return unlessUnread(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// watchOn is Watch on a terminal.
func (c *Client) watchOn(ctx context.Context, t terminal, write func(io.Writer, report.Status) error) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	suspended := make(chan os.Signal, 1)
	signal.Notify(suspended, syscall.SIGTSTP)
	defer signal.Stop(suspended)
	t.open()
	defer t.close()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var shown []byte
	var last time.Time
	for {
		status, err := c.Status(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			shown = outOfTouch(shown, err, last)
		default:
			var text bytes.Buffer
			if err := write(&text, status); err != nil {
				return err
			}
			shown, last = text.Bytes(), time.Now()
		}
		if err := t.draw(shown); err != nil {
			return unlessUnread(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-suspended:
			t.giveBack()
		case <-tick.C:
		}
	}
}

// unlessUnread returns the error of writing, or nil if that is because the output has no reader any more.
func unlessUnread(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// touchMark begins the line above a status that is out of date.
const touchMark = "out of touch: "

// outOfTouch puts a line above what was shown last, with the time that it is from, and why it is out of date.
func outOfTouch(text []byte, err error, last time.Time) []byte {
	if bytes.HasPrefix(text, []byte(touchMark)) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	age := "nothing is known yet"
	if !last.IsZero() {
		age = "this is from " + last.Format(time.TimeOnly)
	}
	return append([]byte(fmt.Sprintf("%s%s: %s\n", touchMark, age, printable.Text(err.Error()))), text...)
}

// A terminal is redrawn in place.
type terminal struct{ f *os.File }

// newTerminal returns the terminal that out is; false if it is not a terminal.
func newTerminal(out io.Writer) (terminal, bool) {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return terminal{}, false
	}
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return terminal{f}, err == nil
}

func (t terminal) open()  { _, _ = t.f.WriteString(enterScreen) }
func (t terminal) close() { _, _ = t.f.WriteString(leaveScreen) }

// giveBack shows what was there before, and stops this process until SIGCONT.
func (t terminal) giveBack() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	t.close()
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-continued // this goroutine may run on for a moment after Kill has returned
	t.open()
}

// draw shows text, as much of it as there is room for.
func (t terminal) draw(text []byte) error {
	columns, rows := 0, 0
	if size, err := unix.IoctlGetWinsize(int(t.f.Fd()), unix.TIOCGWINSZ); err == nil {
		columns, rows = int(size.Col), int(size.Row)
	}
	_, err := t.f.WriteString(frame(string(text), columns, rows))
	return err
}

// frame returns text for a screen of that size, with the control sequences to write it over what is there; 0: the size is not known.
func frame(text string, columns, rows int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if rows > 1 && len(lines) > rows {
		more := len(lines) - rows + 1
		lines = append(lines[:rows-1], fmt.Sprintf("… %d more lines", more))
	}
	for i, line := range lines {
		lines[i] = fit(line, columns) + plainText + clearLine
	}
	return toTop + strings.Join(lines, "\r\n") + clearRest
}

// fit cuts a line that is wider than a screen. Colours have no width.
func fit(line string, columns int) string {
	width, colour := 0, false
	for i, r := range line {
		switch {
		case r == '\x1b':
			colour = true
		case colour:
			colour = r != 'm'
		default:
			width++
		}
		if columns > 0 && width > columns {
			_, size := utf8.DecodeLastRuneInString(line[:i])
			return line[:i-size] + "…"
		}
	}
	return line
}
