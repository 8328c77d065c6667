package inputs

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"floaty/config"
	"floaty/desired/keepalived/conf"
	"floaty/providers/providertest"
)

const (
	here      = "11111111-1111-4111-8111-111111111111"
	elsewhere = "22222222-2222-4222-8222-222222222222"
)

// read returns a keepalived.conf with one of everything that floaty uses.
func read() *conf.Config {
	return &conf.Config{
		Instances: []conf.Instance{{
			Name: "VI_1", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}, AdvertInterval: time.Second, File: "a.conf", Line: 3,
		}},
		Groups:  []conf.Group{{Name: "G", Members: []string{"VI_1"}, File: "a.conf", Line: 9}},
		FIFOs:   []conf.FIFO{{Path: "/run/fifo", User: "root", File: "a.conf", Line: 1}},
		Watch:   []string{"/etc/keepalived/a.conf"},
		Globals: conf.Globals{ScriptUser: "root"},
	}
}

func TestSameKeepalivedIgnoresWhereThingsAre(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(*conf.Config)
		same bool
	}{
		"nothing":                 {func(*conf.Config) {}, true},
		"a line above":            {func(c *conf.Config) { c.FIFOs[0].Line++; c.Instances[0].Line++; c.Groups[0].Line++ }, true},
		"moved to another file":   {func(c *conf.Config) { c.Instances[0].File, c.Watch = "b.conf", []string{"/etc/keepalived/b.conf"} }, true},
		"a warning":               {func(c *conf.Config) { c.Warnings = []conf.Problem{{Text: "ignored"}} }, true},
		"host bits":               {func(c *conf.Config) { c.Instances[0].Addresses[0] = netip.MustParsePrefix("192.0.2.8/24") }, false},
		"an excluded address":     {func(c *conf.Config) { c.Instances[0].Excluded = c.Instances[0].Addresses }, false},
		"advert_int":              {func(c *conf.Config) { c.Instances[0].AdvertInterval *= 2 }, false},
		"a member of a group":     {func(c *conf.Config) { c.Groups[0].Members = nil }, false},
		"who may own the FIFO":    {func(c *conf.Config) { c.FIFOs[0].User = "keepalived" }, false},
		"script_user":             {func(c *conf.Config) { c.ScriptUser = "keepalived" }, false},
		"where the pid file is":   {func(c *conf.Config) { c.PIDDir = true }, false},
		"the network's namespace": {func(c *conf.Config) { c.NetNamespace = "lb" }, false},
	} {
		edited := read()
		c.edit(edited)
		if got := SameKeepalived(read(), edited); got != c.same {
			t.Errorf("%s: got the same: %v, want %v", what, got, c.same)
		}
	}
	if !SameKeepalived(nil, nil) || SameKeepalived(read(), nil) || SameKeepalived(nil, read()) {
		t.Error("got another result for a keepalived.conf that is unusable, want it to equal only itself")
	}
}

func TestKeepTakesWhatFollowsFromKeepalivedConfToo(t *testing.T) {
	before := Inputs{Keepalived: read(), FIFOOwners: []uint32{7}, watchFiles: []string{"old"}}
	unusable := Inputs{keepalivedErr: errors.New("line 3"), watchFiles: []string{"new"}}
	unusable.Keep(before)
	if unusable.Keepalived != before.Keepalived || !slices.Equal(unusable.FIFOOwners, before.FIFOOwners) {
		t.Errorf("got %+v, want keepalived.conf and the FIFO's owners from before", unusable)
	}
	if unusable.keepalivedErr == nil || !slices.Equal(unusable.watchFiles, []string{"new"}) {
		t.Errorf("got %+v, want the error, and the files whose change may end it", unusable)
	}
	usable := Inputs{Keepalived: read(), FIFOOwners: []uint32{8}}
	usable.Keep(before)
	if usable.Keepalived == before.Keepalived || !slices.Equal(usable.FIFOOwners, []uint32{8}) {
		t.Errorf("got %+v, want nothing kept", usable)
	}
}

func TestOnlyNewWarningsAreLogged(t *testing.T) {
	broken := Inputs{Config: &config.Config{}, keepalivedErr: errors.New("line 3: unclosed block")}
	exposed := broken
	exposed.configWarnings = []config.Warning{{File: "floaty.yml", Text: "anybody may read it", Serious: true}}
	kept := broken
	kept.Keep(Inputs{Keepalived: read()})
	missing := Inputs{Config: &config.Config{}, keepalivedErr: fs.ErrNotExist}
	for what, c := range map[string]struct {
		before, now Inputs
		notify      bool
		want        []string
	}{
		"at the start":              {Inputs{}, exposed, false, []string{warnIgnored, warnExposed}},
		"unchanged":                 {exposed, exposed, false, nil},
		"one more":                  {broken, exposed, false, []string{warnExposed}},
		"one less":                  {exposed, broken, false, nil},
		"broken while it runs":      {Inputs{Config: &config.Config{}, Keepalived: read()}, kept, false, []string{warnKept}},
		"a notify script":           {Inputs{}, exposed, true, []string{warnIgnored}},
		"without a keepalived.conf": {Inputs{}, missing, false, []string{warnIgnored}},
	} {
		var log providertest.Log
		LogWarnings(log.Logger(), c.before, c.now, c.notify)
		lines := log.Lines("")
		if len(lines) != len(c.want) {
			t.Errorf("%s: got %q, want %q", what, lines, c.want)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: got %q, want %q", what, lines[i], want)
			}
		}
	}
}

func TestServerOfAHostName(t *testing.T) {
	servers := map[string]string{"lb1": here, "lb2": elsewhere}
	for what, c := range map[string]struct {
		uuid, host  string
		servers     map[string]string
		id, missing string
	}{
		"in the map":         {"", "lb2", servers, elsewhere, ""},
		"not in the map":     {"", "lb3", servers, "", "lb3"},
		"no name":            {"", "", servers, "", "(unknown host name)"},
		"server-uuid":        {here, "lb2", servers, here, ""},
		"neither configured": {"", "lb2", nil, "", ""},
	} {
		cfg := &config.Config{Provider: "cloudscale"}
		cfg.Cloudscale.ServerUUID, cfg.Cloudscale.HostnameToServerUUID = c.uuid, c.servers
		id, missing := Inputs{Config: cfg, hostName: c.host}.Server()
		if id != c.id || missing != c.missing {
			t.Errorf("%s: got %q, %q, want %q, %q", what, id, missing, c.id, c.missing)
		}
	}
}

// The state of one configuration must not be that of another, and the path of a socket is limited.
func TestStateFilesAreShortAndOnePerConfiguration(t *testing.T) {
	long := "/etc/" + strings.Repeat("x", 300) + "/floaty.yml"
	seen := map[string]string{}
	for _, path := range []string{"/etc/floaty.yml", "/etc%2Ffloaty.yml", "/etc/a/floaty.yml", long, long + "x", "/etc/" + strings.Repeat("ä", 100)} {
		file := StateFile(&config.Config{Path: path, StateDir: "/run/floaty"}, ".sock")
		name, ok := strings.CutPrefix(file, "/run/floaty/")
		if !ok || strings.Contains(name, "/") || len(name) > maxName+len(".sock") {
			t.Errorf("%s: got %s, want a file of at most %d bytes in the directory", path, file, maxName+len(".sock"))
		}
		if other, twice := seen[file]; twice {
			t.Errorf("%s: got %s, which is the file of %s too", path, file, other)
		}
		seen[file] = path
	}
}
