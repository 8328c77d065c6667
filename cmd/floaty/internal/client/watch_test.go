package client

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAFrameFitsTheScreen(t *testing.T) {
	text := "a line that is long\n\x1b[31mred and also long\x1b[0m\nüüüüüüüüüüüü\nshort\nlast\n"
	want := "\x1b[Ha line tha…\x1b[0m\x1b[K\r\n\x1b[31mred and al…\x1b[0m\x1b[K\r\nüüüüüüüüüü…\x1b[0m\x1b[K\r\n… 2 more l…\x1b[0m\x1b[K\x1b[J"
	if got := frame(text, 11, 4); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got, want := frame("a\nb\n", 0, 0), "\x1b[Ha\x1b[0m\x1b[K\r\nb\x1b[0m\x1b[K\x1b[J"; got != want {
		t.Errorf("unknown size: got %q, want %q", got, want)
	}
}

func TestADaemonThatHasGoneIsReportedOnce(t *testing.T) {
	last := time.Date(2026, 11, 29, 12, 0, 0, 0, time.Local)
	text := []byte("ready\n")
	for range 3 {
		text = outOfTouch(text, errors.New("nobody\x1b[2J"), last)
	}
	if got, want := string(text), "out of touch: this is from 12:00:00: \"nobody\\x1b[2J\"\nready\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(outOfTouch(nil, errors.New("nobody"), time.Time{})); !strings.HasPrefix(got, "out of touch: nothing is known yet: nobody") {
		t.Errorf("without a status before: got %q", got)
	}
}
