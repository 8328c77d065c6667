package report

import (
	"net/netip"
	"strings"
	"testing"
)

var diff = Diff{Changes: []Change{
	{Address: netip.MustParseAddr("198.51.100.7"), Instances: []string{"VI_1"}, Action: Move, From: []string{"2222"}, To: "1111"},
	{Address: netip.MustParseAddr("198.51.100.10"), Instances: []string{"VI_1"}, Action: Move, From: []string{}, To: "1111"},
	{Address: netip.MustParseAddr("198.51.100.8"), Instances: []string{"VI_1", "VI_2"}, Action: InPlace, From: []string{"1111"}, To: "1111"},
	{Address: netip.MustParseAddr("2001:db8::9"), Instances: []string{"VI_2"}, Action: Error, Error: "not found"},
}}

func TestADiffAsText(t *testing.T) {
	want := `
~ 198.51.100.7    2222 → 1111      VI_1
~ 198.51.100.10   nothing → 1111   VI_1
= 198.51.100.8    1111             VI_1, VI_2
! 2001:db8::9     not found        VI_2
2 to move, 1 in place, 1 error
`[1:]
	var got strings.Builder
	if err := diff.Write(&got, Text, false); err != nil || got.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestADiffIsColouredByLine(t *testing.T) {
	var got strings.Builder
	if err := diff.Write(&got, Text, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[33m~ 198.51.100.7 ", "VI_1\x1b[0m\n= 198.51.100.8", "\x1b[31m! 2001:db8::9"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("got %q, want %q in it", got.String(), want)
		}
	}
}

func TestADiffAsJSON(t *testing.T) {
	want := `{"changes":[` +
		`{"address":"198.51.100.7","instances":["VI_1"],"action":"move","from":["2222"],"to":"1111"},` +
		`{"address":"198.51.100.10","instances":["VI_1"],"action":"move","from":[],"to":"1111"},` +
		`{"address":"198.51.100.8","instances":["VI_1","VI_2"],"action":"in_place","from":["1111"],"to":"1111"},` +
		`{"address":"2001:db8::9","instances":["VI_2"],"action":"error","error":"not found"}],` +
		`"summary":{"move":2,"in_place":1,"error":1}}` + "\n"
	var got strings.Builder
	if err := diff.Write(&got, JSON, true); err != nil || got.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestTheExitStatusOfADiff(t *testing.T) {
	for _, c := range []struct {
		changes []Change
		want    int
	}{
		{nil, 0},
		{[]Change{{Action: InPlace}}, 0},
		{[]Change{{Action: InPlace}, {Action: Move}}, 1},
		{diff.Changes, 2},
	} {
		if got := (Diff{Changes: c.changes}).ExitStatus(); got != c.want {
			t.Errorf("%+v: status %d, want %d", c.changes, got, c.want)
		}
	}
}

var check = Check{
	Provider: "cloudscale", Server: "1111",
	Instances: []Instance{
		{Name: "VI_1", Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}, Source: "keepalived.conf"},
		{Name: "VI_22", Addresses: []netip.Addr{}, Source: "instances"},
	},
	Groups: []Group{{Name: "G1", Members: []string{"VI_1", "VI_22"}}},
}

func TestACheckAsText(t *testing.T) {
	want := `
provider   cloudscale
server     1111
instance   VI_1    198.51.100.7     (keepalived.conf)
instance   VI_22   (no addresses)   (instances)
group      G1      VI_1 VI_22
`[1:]
	var got strings.Builder
	if err := check.Write(&got, Text); err != nil || got.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestACheckAsJSON(t *testing.T) {
	want := `{"provider":"cloudscale","server":"1111",` +
		`"instances":[{"name":"VI_1","addresses":["198.51.100.7"],"source":"keepalived.conf"},{"name":"VI_22","addresses":[],"source":"instances"}],` +
		`"groups":[{"name":"G1","members":["VI_1","VI_22"]}]}` + "\n"
	var got strings.Builder
	if err := check.Write(&got, JSON); err != nil || got.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, got.String(), want)
	}
}
