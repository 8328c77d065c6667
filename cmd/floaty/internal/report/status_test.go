package report

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	noon   = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	status = Status{
		Version: "2.0.0", PID: 42, Started: noon.Add(-time.Hour), Provider: "cloudscale",
		Server: StatusServer{ID: "1111", Name: "lb1"}, Names: map[string]string{"3333": "lb3"}, NotReady: []string{"the last read of the cloud failed: 503"},
		Instances: []StatusInstance{
			{Name: "VI_1", State: "MASTER", Since: noon.Add(-90 * time.Second)},
			{Name: "VI_22", State: "unknown"},
		},
		Addresses: []StatusAddress{
			{
				Address: netip.MustParseAddr("198.51.100.7"), Instances: []string{"VI_1"}, Desired: true, InPlace: true, Targets: []string{"1111"},
				Since: noon.Add(-26 * time.Hour), Verified: noon.Add(-2 * time.Second), Next: noon.Add(58 * time.Second),
			},
			{
				Address: netip.MustParseAddr("198.51.100.8"), Instances: []string{"VI_1", "VI_22"}, Desired: true, Targets: []string{"2222"},
				Verified: noon.Add(-5 * time.Minute), Next: noon, Error: "503 Service Unavailable",
			},
			{
				Address: netip.MustParseAddr("2001:db8::9"), Instances: []string{"VI_22"}, Contested: true, Desired: true,
				Targets: []string{}, Verified: noon.Add(-time.Second), Rival: "3333",
			},
			{Address: netip.MustParseAddr("198.51.100.10"), Instances: []string{"VI_22"}},
		},
		Config: StatusConfig{Error: "floaty.yml:3: tokn: unknown key"},
		Cloud:  StatusCloud{Error: "503"},
	}
)

func TestAStatusAsText(t *testing.T) {
	want := `
floaty 2.0.0, process 42, cloudscale, server 1111 (lb1)
not ready: the last read of the cloud failed: 503
configuration: the edited one is unusable: floaty.yml:3: tokn: unknown key

INSTANCE   STATE     SINCE
VI_1       MASTER    1m30s ago
VI_22      unknown   -

ADDRESS         STATE          POINTS AT     IN PLACE FOR   VERIFIED   NEXT LOOK   INSTANCES     ERROR
198.51.100.7    in place       this server   1d2h           2s ago     in 58s      VI_1          -
198.51.100.8    not in place   2222          -              5m0s ago   now         VI_1, VI_22   503 Service Unavailable
2001:db8::9     contested      nothing       -              1s ago     -           VI_22         another server takes it: lb3
198.51.100.10   standby        not known     -              -          -           VI_22         -
`[1:]
	var got strings.Builder
	if err := status.WriteText(&got, noon, false); err != nil || got.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestAStatusIsColouredByLine(t *testing.T) {
	var got strings.Builder
	if err := status.WriteText(&got, noon, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[31mnot ready: ", "\x1b[31m198.51.100.8 ", "\x1b[33m2001:db8::9 ", "\n198.51.100.7 "} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("got %q, want %q in it", got.String(), want)
		}
	}
}

func TestAStatusAsJSON(t *testing.T) {
	s := Status{
		Version: "2.0.0", PID: 42, Started: noon, Provider: "cloudscale", Server: StatusServer{ID: "1111", Name: "lb1"}, Ready: true, NotReady: []string{},
		Instances:  []StatusInstance{{Name: "VI_1", State: "MASTER", Since: noon}},
		Addresses:  status.Addresses[:1],
		Keepalived: StatusKeepalived{Connected: true},
		Config:     StatusConfig{Loaded: noon},
		Cloud:      StatusCloud{LastRead: noon},
		Events:     []StatusEvent{{Time: noon, Kind: EventState, Instance: "VI_1<b>", From: "BACKUP", To: "MASTER\x1b[2J"}},
	}
	want := `{"version":"2.0.0","pid":42,"started":"2026-11-29T12:00:00Z","provider":"cloudscale","server":{"id":"1111","name":"lb1"},` +
		`"ready":true,"not_ready":[],"instances":[{"name":"VI_1","state":"MASTER","since":"2026-11-29T12:00:00Z"}],` +
		`"addresses":[{"address":"198.51.100.7","instances":["VI_1"],"desired":true,"in_place":true,"targets":["1111"],` +
		`"since":"2026-11-28T10:00:00Z","verified":"2026-11-29T11:59:58Z","next":"2026-11-29T12:00:58Z","contested":false,"error":""}],` +
		`"keepalived":{"connected":true},"config":{"loaded":"2026-11-29T12:00:00Z","error":""},` +
		`"cloud":{"last_read":"2026-11-29T12:00:00Z","error":""},` +
		`"events":[{"time":"2026-11-29T12:00:00Z","kind":"state","instance":"VI_1\u003cb\u003e","from":"BACKUP","to":"MASTER\u001b[2J"}]}` + "\n"
	var got strings.Builder
	if err := s.WriteJSON(&got); err != nil || got.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, got.String(), want)
	}
}
