package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/go-logr/logr"

	"floaty/cmd/floaty/internal/client"
	"floaty/cmd/floaty/internal/daemon"
	"floaty/cmd/floaty/internal/report"
	"floaty/config"
)

// findSocket returns the status socket that an argument names: the socket itself, or that of the daemon with the
// configuration, which need not be usable any more.
func findSocket(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case info.Mode().Type() == fs.ModeSocket:
		return path, nil
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is neither a configuration file nor a socket", path)
	}
	absolute, stateDir := config.LoadState(path)
	return daemon.SocketPath(stateDir, absolute), nil
}

// status shows the status of a running daemon.
func status(ctx context.Context, c command, log logr.Logger, stdout io.Writer) int {
	socket, err := findSocket(c.config)
	if err != nil {
		log.Error(err, "cannot show the status")
		return exitUnusable
	}
	running := client.New(socket)
	write := func(w io.Writer, s report.Status) error {
		if c.output == report.JSON {
			return s.WriteJSON(w)
		}
		return s.WriteText(w, time.Now(), isTerminal(stdout))
	}
	if c.watch {
		err = running.Watch(ctx, stdout, write)
	} else {
		var s report.Status
		if s, err = running.Status(ctx); err == nil {
			err = write(stdout, s)
		}
	}
	if err != nil {
		log.Error(err, "cannot show the status")
		return exitUnusable
	}
	return exitOK
}

// ready tells whether a running daemon could take over now.
func ready(ctx context.Context, c command, log logr.Logger) int {
	socket, err := findSocket(c.config)
	if err == nil {
		err = client.New(socket).Ready(ctx)
	}
	if err != nil {
		log.Error(err, "not ready")
		return exitUnusable
	}
	return exitOK
}

// isTerminal reports whether w is a terminal that shows colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
