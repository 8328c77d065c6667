package keepalived

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

// BenchmarkLineToSnapshot measures one pass of the listener, from a line in the FIFO until Changed has returned and the fence is
// open again. The state changes with each line, as in a takeover.
func BenchmarkLineToSnapshot(b *testing.B) {
	for _, instances := range []int{1, 100} {
		b.Run(fmt.Sprintf("instances=%d", instances), func(b *testing.B) {
			reported := 0
			l := New(Options{
				Path:    filepath.Join(b.TempDir(), "fifo"),
				PIDFile: func() string { return "/nonexistent" },
				Conf: Conf{
					Named:          func(string) bool { return true },
					Members:        func(string) []string { return nil },
					AdvertInterval: func(string) time.Duration { return time.Second },
					VIPs:           func(string) []netip.Addr { return nil },
				},
				Changed: func(Snapshot) { reported++ },
				Log:     logr.Discard(),
			})
			now := time.Now()
			l.pass(now) // creates the FIFO
			l.pass(now) // opens it
			fd, err := openAsKeepalived(l.opts.Path)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = unix.Close(fd) }()
			say := func(instance int, state string) {
				if _, err := unix.Write(fd, fmt.Appendf(nil, "INSTANCE \"VI_%d\" %s 100\n", instance, state)); err != nil {
					b.Fatal(err)
				}
			}
			for i := range instances {
				say(i, "BACKUP")
			}
			l.pass(now)
			lines := [2][]byte{[]byte("INSTANCE \"VI_0\" MASTER 100\n"), []byte("INSTANCE \"VI_0\" BACKUP 100\n")}
			reported = 0
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := unix.Write(fd, lines[n%2]); err != nil {
					b.Fatal(err)
				}
				n++
				l.pass(now)
			}
			if reported != n {
				b.Errorf("got %d snapshots reported for %d lines, want one for each", reported, n)
			}
			l.trust.vrrp.search.end()
		})
	}
}
