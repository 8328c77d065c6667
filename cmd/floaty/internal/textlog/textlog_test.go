package textlog

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// record returns what log writes.
func record(opts Options, log func(l interface {
	Info(string, ...any)
	Error(error, string, ...any)
}),
) string {
	var out bytes.Buffer
	opts.LevelEnabler, opts.Writer = zapcore.InfoLevel, zapcore.AddSync(&out)
	clock := zap.WithClock(noon{})
	l := zapr.NewLoggerWithOptions(zap.New(New(opts), clock), zapr.ErrorKey("err")).WithValues("provider", "cloudscale")
	log(l)
	return out.String()
}

// noon is a clock that always shows noon.
type noon struct{}

func (noon) Now() time.Time                         { return time.Date(2026, 11, 29, 12, 0, 0, 5e6, time.UTC) }
func (noon) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func TestLines(t *testing.T) {
	type logger = interface {
		Info(string, ...any)
		Error(error, string, ...any)
	}
	names := func(key, value string) string {
		if key == "to" && value == "4711" {
			return "lb2"
		}
		return value
	}
	for name, test := range map[string]struct {
		opts Options
		log  func(logger)
		want string
	}{
		"an info line": {
			Options{},
			func(l logger) {
				l.Info("address assigned", "address", netip.MustParseAddr("192.0.2.7"), "attempt", 2)
			},
			"2026-11-29T12:00:00.005Z INFO address assigned provider=cloudscale address=192.0.2.7 attempt=2\n",
		},
		"an error": {
			Options{},
			func(l logger) {
				l.Error(errors.New("503 Service Unavailable"), "assigning failed", "next", time.Unix(0, 0).UTC())
			},
			"2026-11-29T12:00:00.005Z ERROR assigning failed provider=cloudscale next=1970-01-01T00:00:00.000Z err=\"503 Service Unavailable\"\n",
		},
		"an error without a cause": {
			Options{},
			func(l logger) { l.Error(nil, "contested") },
			"2026-11-29T12:00:00.005Z ERROR contested provider=cloudscale\n",
		},
		"values that need quotes": {
			Options{},
			func(l logger) {
				l.Info("m", "empty", "", "blank", "a b", "quote", `a"b`, "equals", "a=b", "path", `C:\x`, "list", []string{"a", "b"}, "wait", 1500*time.Millisecond)
			},
			`2026-11-29T12:00:00.005Z INFO m provider=cloudscale empty="" blank="a b" quote="a\"b" equals="a=b" path="C:\\x" list=a,b wait=1.5s` + "\n",
		},
		"a hostile name": {
			Options{},
			func(l logger) { l.Info("m", "instance", "VI\n2026 ERROR \x1b[31mforged\u202e") },
			`2026-11-29T12:00:00.005Z INFO m provider=cloudscale instance="VI\n2026 ERROR \x1b[31mforged\u202e"` + "\n",
		},
		"the journal": {
			Options{Journal: true},
			func(l logger) { l.Info("m"); l.Error(nil, "n") },
			"<6>INFO m provider=cloudscale\n<3>ERROR n provider=cloudscale\n",
		},
		"a server that has a name": {
			Options{Names: names},
			func(l logger) { l.Info("m", "from", "4711", "to", "4711") },
			"2026-11-29T12:00:00.005Z INFO m provider=cloudscale from=4711 to=lb2\n",
		},
	} {
		if got := record(test.opts, test.log); got != test.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, test.want)
		}
	}
}

func TestTheJournalIsRecognised(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{"": false, "8:1": false, streamID(info): true} {
		t.Setenv("JOURNAL_STREAM", stream)
		if got := IsJournal(file); got != want {
			t.Errorf("JOURNAL_STREAM=%q: got %v, want %v", stream, got, want)
		}
	}
}
