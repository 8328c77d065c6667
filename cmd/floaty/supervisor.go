package main

import (
	"os"
	"strconv"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"github.com/go-logr/logr"
)

// A supervisor is the service manager that started this process, systemd, or nobody.
type supervisor struct {
	present  bool
	ready    bool          // it knows that the start is over; owned by the goroutine that calls healthy
	watchdog time.Duration // it ends this process if it has not heard for that long; 0: it does not
	log      logr.Logger
}

// newSupervisor finds the service manager in the environment. A process that another service has started, such as Keepalived's, inherits
// that service's socket, and says nothing: systemd would take it for Keepalived's own word.
func newSupervisor(log logr.Logger) *supervisor {
	s := &supervisor{log: log}
	if pid := os.Getenv("SYSTEMD_EXEC_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return s
	}
	s.present = os.Getenv("NOTIFY_SOCKET") != ""
	watchdog, err := sdnotify.SdWatchdogEnabled(false)
	if err != nil {
		log.Error(err, "the watchdog's variables in the environment make no sense: the watchdog is not fed")
		return s
	}
	s.watchdog = watchdog
	return s
}

// interval is how often the loops are asked, so that the watchdog is fed in time.
func (s *supervisor) interval() time.Duration {
	if s.watchdog > 0 {
		return min(pingEvery, s.watchdog/3)
	}
	return pingEvery
}

// healthy tells that all loops have answered. The first time this ends the start: the configuration is loaded, and the listener has
// opened the FIFO or said why it cannot. It does not wait for a writer, since Keepalived is started afterwards.
func (s *supervisor) healthy() {
	if !s.ready {
		s.ready = true
		s.tell(sdnotify.SdNotifyReady)
	}
	if s.watchdog > 0 {
		s.tell(sdnotify.SdNotifyWatchdog)
	}
}

// reloading tells that the configuration is being read again, until reloaded.
func (s *supervisor) reloading() { s.tell(sdnotify.SdNotifyReloading) }

func (s *supervisor) reloaded() { s.tell(sdnotify.SdNotifyReady) }

func (s *supervisor) stopping() { s.tell(sdnotify.SdNotifyStopping) }

// tell sends a state to the service manager, if there is one. Methods of a nil supervisor tell nobody.
func (s *supervisor) tell(state string) {
	if s == nil || !s.present {
		return
	}
	if _, err := sdnotify.SdNotify(false, state); err != nil {
		s.log.Error(err, "telling systemd failed")
	}
}
