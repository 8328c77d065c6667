package daemon

import (
	"os"
	"strconv"
	"sync"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"github.com/go-logr/logr"

	"floaty/providers/failurelog"
)

// A supervisor is the service manager that started this process, if any: systemd.
type supervisor struct {
	present  bool
	ready    bool          // it was told that the start is complete; owned by the goroutine that calls healthy
	watchdog time.Duration // it kills this process after that time without a notification; 0: never
	log      logr.Logger

	mu      sync.Mutex // guards failure
	failure failurelog.Entry
}

// newSupervisor finds the service manager in the environment. A process started by another service, such as
// Keepalived's, inherits that service's socket and must not use it: systemd would take the notifications for
// Keepalived's.
func newSupervisor(log logr.Logger) *supervisor {
	s := &supervisor{log: log}
	if pid := os.Getenv("SYSTEMD_EXEC_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return s
	}
	s.present = os.Getenv("NOTIFY_SOCKET") != ""
	watchdog, err := sdnotify.SdWatchdogEnabled(false)
	if err != nil {
		log.Error(err, "invalid watchdog variables in the environment: the watchdog is not fed")
		return s
	}
	s.watchdog = watchdog
	return s
}

// interval returns how often to check the loops, so that the watchdog is fed in time.
func (s *supervisor) interval() time.Duration {
	if s.watchdog > 0 {
		return min(pingEvery, s.watchdog/3)
	}
	return pingEvery
}

// healthy notifies that all loops have answered. The first time this completes the start: the configuration is
// loaded, and the listener has opened the FIFO or logged why it cannot. It does not wait for a writer, because
// Keepalived is started afterwards.
func (s *supervisor) healthy() {
	if !s.ready {
		s.ready = true
		s.tell(sdnotify.SdNotifyReady)
	}
	if s.watchdog > 0 {
		s.tell(sdnotify.SdNotifyWatchdog)
	}
}

// reloading notifies that the configuration is being read again, until reloaded is called.
func (s *supervisor) reloading() { s.tell(sdnotify.SdNotifyReloading) }

func (s *supervisor) reloaded() { s.tell(sdnotify.SdNotifyReady) }

func (s *supervisor) stopping() { s.tell(sdnotify.SdNotifyStopping) }

// tell sends a state to the service manager, if there is one. A nil supervisor is allowed.
func (s *supervisor) tell(state string) {
	if s == nil || !s.present {
		return
	}
	_, err := sdnotify.SdNotify(false, state)
	s.mu.Lock()
	say := err != nil && s.failure.Failed(time.Now()) || err == nil && s.failure.Succeeded(time.Now())
	s.mu.Unlock()
	switch {
	case !say:
	case err != nil:
		s.log.Error(err, "cannot notify systemd")
	default:
		s.log.Info("systemd can be notified again")
	}
}
