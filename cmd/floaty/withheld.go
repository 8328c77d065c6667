package main

import (
	stdlog "log"

	"github.com/go-logr/logr"
)

// withhold takes the output of Go's standard logger, which libraries use: net/http quotes an answer there that nobody asked
// for, with the credential in it if the server echoes it, and headers if GODEBUG asks for them. Nothing but log may write to
// standard error.
func withhold(log logr.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(withheld{log})
}

type withheld struct{ log logr.Logger }

// Write implements [io.Writer]. What is written never shows.
func (w withheld) Write(line []byte) (int, error) {
	w.log.V(1).Info("a library has logged something: its text is withheld, for it may hold a credential")
	return len(line), nil
}
