package logform

import (
	stdlog "log"

	"github.com/go-logr/logr"
)

// DiscardLibraryLogs keeps the output of Go's standard logger, which libraries use, out of standard error. For
// example, net/http logs unsolicited responses, which contain the credential if the server echoes it, and headers if
// GODEBUG requests them.
func DiscardLibraryLogs(log logr.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(discarder{log})
}

type discarder struct{ log logr.Logger }

// Write implements [io.Writer]. It never shows what is written.
func (w discarder) Write(line []byte) (int, error) {
	w.log.V(1).Info("a library logged a message: its text is withheld because it may contain a credential")
	return len(line), nil
}
