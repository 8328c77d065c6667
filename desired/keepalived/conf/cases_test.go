package conf

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostID is the config ID in all tests.
const hostID = "host"

// vi returns an instance A with these lines in its virtual_ipaddress.
func vi(lines ...string) string { return instance("A", 1, lines...) }

func instance(name string, id int, lines ...string) string {
	return fmt.Sprintf("vrrp_instance %s {\n interface eth0\n virtual_router_id %d\n virtual_ipaddress {\n%s\n }\n}\n",
		name, id, strings.Join(lines, "\n"))
}

// with returns an instance A with these lines in addition to its interface.
func with(lines ...string) string {
	return "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n" + strings.Join(lines, "\n") + "\n}\n"
}

// The good cases are files without errors. Keepalived itself must read the same from them (see oracle_test.go).
var good = []struct{ name, text, want string }{
	{"no instance", "global_defs {\n}\n", ""},
	{"one instance", vi("10.0.0.1", "10.0.0.2/24 dev eth0"), "A: 10.0.0.1/32 10.0.0.2/24"},
	{"no addresses", vi() + "vrrp_instance B {\n interface eth0\n virtual_router_id 2\n}\n", "A:; B:"},
	{"host bits are kept", vi("192.0.2.7/24", "2001:db8::7/64"), "A: 192.0.2.7/24"},
	{"no newline at the end", strings.TrimSuffix(vi("10.0.0.1"), "\n"), "A: 10.0.0.1/32"},
	{"CRLF", strings.ReplaceAll(vi("10.0.0.1", "10.0.0.2 dev eth0"), "\n", "\r\n"), "A: 10.0.0.1/32 10.0.0.2/32"},
	{"other white space", vi("\t10.0.0.1\t", "10.0.0.2\f", "10.0.0.3\v", "10.0.0.4\rx"), "A: 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32 10.0.0.4/32"},
	{"several blocks add up", with("virtual_ipaddress {\n10.0.0.1\n}", "virtual_ipaddress {\n10.0.0.2\n}"), "A: 10.0.0.1/32 10.0.0.2/32"},
	{"a UTF-8 name", instance("Zürich", 1, "10.0.0.1"), "Zürich: 10.0.0.1/32"},
	{"a line of 1022 bytes", vi("10.0.0.1 "+strings.Repeat("x", 1022-9), "10.0.0.2"), "A: 10.0.0.1/32 10.0.0.2/32"},

	// Comments.
	{"comments", vi("10.0.0.1#c", "10.0.0.2!c", "# 10.0.0.3", "!10.0.0.4", "10.0.0.5 # } {"), "A: 10.0.0.1/32 10.0.0.2/32 10.0.0.5/32"},
	{"comments and quotes", vi(`10.0.0.1 label "a # b" # c "d`, `10.0.0.2 # "`, "10.0.0.3 'x' # '"), "A: 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32"},

	// Quotes.
	{"quoted names", `vrrp_instance "A B" {` + "\n interface eth0\n virtual_router_id 1\n}\n", "A B:"},
	{"a brace in quotes", vi(`10.0.0.1 label "a}b"`, "10.0.0.2"), "A: 10.0.0.1/32 10.0.0.2/32"},
	{"a word ends at a quote", vi(`"10.0.0.1"`, `"10.0.0.2"x`, `x"10.0.0.3"`, `"" 10.0.0.4`), "A: 10.0.0.1/32 10.0.0.2/32"},
	{"unclosed quotes elsewhere", with("notify /bin/x\"y", "notify_master \"/bin/x # y", "authentication {", "auth_type PASS", "auth_pass ab\"c", "}", "virtual_ipaddress {", "10.0.0.1", "}"), "A: 10.0.0.1/32"},
	{"a quote over two lines", with("notify \"/bin/x \\", " arg\"", "virtual_ipaddress {", "10.0.0.1", "}"), "A: 10.0.0.1/32"},
	{"all blocks of an instance", with("authentication {\n}", "track_interface {\n}", "track_script {\n}", "track_file {\n}", "track_process {\n}", "track_bfd {\n}",
		"unicast_peer {\n}", "virtual_routes {\n}", "virtual_rules {\n}", "virtual_ipaddress {\n10.0.0.1\n}"), "A: 10.0.0.1/32"},
	{"a backslash in quotes", `vrrp_instance "C\#D" {` + "\n interface eth0\n virtual_router_id 1\n}\n", `C\#D:`},

	// Braces.
	{"a brace is a token", "vrrp_instance A{interface eth0\nvirtual_router_id 1\nvirtual_ipaddress{10.0.0.1}virtual_ipaddress_excluded {10.0.0.2}}", "A: 10.0.0.1/32 | 10.0.0.2/32"},
	{"a brace on the next line", "vrrp_instance A\n{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress\n {\n 10.0.0.1 }\n}", "A: 10.0.0.1/32"},
	{"instances on one line", with("virtual_ipaddress {\n10.0.0.2}") + "vrrp_instance B {interface eth0\nvirtual_router_id 2\nvirtual_ipaddress {\n 10.0.0.3\n }}vrrp_instance C{interface eth0\nvirtual_router_id 3\n}", "A: 10.0.0.2/32; B: 10.0.0.3/32; C:"},
	{"one address per line", with("virtual_ipaddress { 10.0.0.1 10.0.0.2", "10.0.0.3 }"), "A: 10.0.0.1/32 10.0.0.3/32"},
	{"other blocks", "vrrp_script x {\n script \"/bin/sh -c '{ $HOME ${HOME} }'\"\n}\nvrrp_script y {\n script /bin/echo $HOME $1\n}\n" +
		with("track_interface {\n eth0\n}", "authentication { auth_type PASS", "auth_pass x }", "virtual_ipaddress {\n10.0.0.1\n}", "virtual_routes {\n 10.0.9.0/24 via 10.0.9.9\n}"), "A: 10.0.0.1/32"},
	{"words after a block's name", with("virtual_ipaddress foo {", "10.0.0.1", "}"), "A: 10.0.0.1/32"},

	// Names and groups.
	{"the first of two instances wins", vi("10.0.0.1") + instance("A", 2, "10.0.0.2") + instance("B", 3, "10.0.0.3"), "A: 10.0.0.1/32; B: 10.0.0.3/32"},
	{"an instance must have one name", instance("C D", 1, "10.0.0.1") + instance("", 2, "10.0.0.2") + instance("E", 3, "10.0.0.3"), "E: 10.0.0.3/32"},
	{"groups", "vrrp_sync_group G {\n group {\n A\n B C\n }\n}\nvrrp_sync_group \"H I\" { group { D } }\n" +
		instance("A", 1) + instance("B", 2) + instance("C", 3) + instance("D", 4), "A:; B:; C:; D:; [G] A B C; [H I] D"},
	{"all blocks of a group", "vrrp_sync_group G {\n track_interface {\n}\n track_script {\n}\n track_file {\n}\n track_process {\n}\n track_bfd {\n}\n group {\n A\n}\n}\n" + instance("A", 1), "A:; [G] A"},
	{"the first of two groups wins", "vrrp_sync_group G {\n group {\n A\n NOPE\n}\n}\nvrrp_sync_group G {\n group {\n B\n}\n}\nvrrp_sync_group K {\n}\n" +
		instance("A", 1) + instance("B", 2), "A:; B:; [G] A"},
	{"a member of two groups", "vrrp_sync_group G {\n group {\n A\n B\n}\n}\nvrrp_sync_group H {\n group {\n A\n C\n}\n}\n" +
		instance("A", 1) + instance("B", 2) + instance("C", 3), "A:; B:; C:; [G] A B; [H] C"},

	// Addresses.
	{
		"prefix lengths", vi("10.0.0.1/33", "10.0.0.2/", "10.0.0.3/x", "10.0.0.4/24x", "10.0.0.5/-1", "10.0.0.6/024", "10.0.0.7 /24", "10.0.0.8/24/24", "10.0.0.9/+24", "10.0.0.10/0", "10.0.0.11/0x10"),
		"A: 10.0.0.1/32 10.0.0.2/0 10.0.0.3/0 10.0.0.4/24 10.0.0.5/32 10.0.0.6/24 10.0.0.7/32 10.0.0.8/24 10.0.0.9/24 10.0.0.10/0 10.0.0.11/0",
	},
	{"texts that are not addresses", vi("010.0.0.8", "10.0.0", "10.1", "0x0a000001", "10.0.0.300", "10.0.0.1-5", "10.0.0.9,", "+10.0.0.1", "name", "10.0.0.1"), "A: 10.0.0.1/32"},
	{
		"IPv6", vi("2001:db8::1", "2001:DB8::2/64", "2001:db8::3/129", "2001:db8::4/", "::ffff:10.0.0.1", "2001:db8:::5", "2001:db8::6%eth0", "[2001:db8::7]", "fe80::1"),
		"A: 2001:db8::1/128 2001:db8::2/64 2001:db8::3/128 2001:db8::4/0 ::ffff:10.0.0.1/128 fe80::1/128",
	},
	{"repeated addresses", vi("10.0.0.1", "10.0.0.1", "10.0.0.1/24"), "A: 10.0.0.1/32 10.0.0.1/32 10.0.0.1/24"},
	{"options without a parameter", vi("10.0.0.1 dev", "10.0.0.2 scope", "10.0.0.3 brd", "10.0.0.4 broadcast", "10.0.0.5 label", "10.0.0.6 peer", "10.0.0.7 preferred_lft", "10.0.0.8 dev eth0 scope", "10.0.0.9"), "A: 10.0.0.9/32"},
	{
		"options", vi("10.0.0.1 home", "10.0.0.2 -nodad", "10.0.0.3 mngtmpaddr noprefixroute", "10.0.0.4 autojoin no_track", "10.0.0.5 preferred_lft bad", "10.0.0.6 use_vmac", "10.0.0.7 unknown dev eth0", "10.0.0.8 dev eth0 dev eth0", "10.0.0.9 scope bad", "10.0.0.10 dev eth9"),
		"A: 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32 10.0.0.4/32 10.0.0.5/32 10.0.0.6/32 10.0.0.7/32 10.0.0.9/32 10.0.0.10/32",
	},
	{
		"broadcasts", vi("10.0.0.1 brd +", "10.0.0.2/24 brd -", "10.0.0.3 brd 1.2.3.4", "10.0.0.4 brd bad", "10.0.0.5 broadcast 1.2.3", "10.0.0.6 peer 1.2.3.4 brd +", "10.0.0.7 peer bad"),
		"A: 10.0.0.1/32 10.0.0.2/24 10.0.0.3/32 10.0.0.6/32 10.0.0.7/32",
	},
	{"labels", vi("10.0.0.1 label averyveryverylonglabel", "10.0.0.2 label fifteen_bytes_1", "10.0.0.3 label sixteen_bytes_12"), "A: 10.0.0.2/32"},
	{
		"options of IPv6 addresses", vi("2001:db8::1 brd +", "2001:db8::2 broadcast 1.2.3.4", "2001:db8::3 home -nodad", "2001:db8::4 label averyveryverylonglabel", "2001:db8::5 peer 1.2.3.4"),
		"A: 2001:db8::3/128 2001:db8::5/128",
	},

	// The family.
	{"the first address decides", vi("bad", "2001:db8::1 dev", "10.0.0.1", "2001:db8::2"), "A: 10.0.0.1/32"},
	{"the first address decides for all blocks", with("virtual_ipaddress {\n10.0.0.1\n2001:db8::1\n}", "virtual_ipaddress {\n2001:db8::2\n10.0.0.2\n}"), "A: 10.0.0.1/32 10.0.0.2/32"},
	{"excluded addresses may mix families", with("virtual_ipaddress_excluded {\n2001:db8::1\n10.0.0.9\n}", "virtual_ipaddress {\n10.0.0.1\n2001:db8::2\n}"), "A: 10.0.0.1/32 | 2001:db8::1/128 10.0.0.9/32"},
	{"native_ipv6 decides", with("native_ipv6", "virtual_ipaddress {\n10.0.0.1\n2001:db8::1\n}"), "A: 2001:db8::1/128"},
	{"a unicast peer decides", with("unicast_peer {\n2001:db8::9\n}", "virtual_ipaddress {\n10.0.0.1\n2001:db8::1\n}"), "A: 2001:db8::1/128"},
	{"a unicast source decides", with("unicast_src_ip 2001:db8::9", "virtual_ipaddress {\n10.0.0.1\n2001:db8::1\n}"), "A: 2001:db8::1/128"},
	{"a unicast peer after the addresses does not decide", with("virtual_ipaddress {\n10.0.0.1\n2001:db8::1\n}", "unicast_peer {\n2001:db8::9\n}"), "A: 10.0.0.1/32"},

	// Conditions.
	{
		"conditions", vi("@host 10.0.0.1", "@^host 10.0.0.2", "@other 10.0.0.3", "@^other 10.0.0.4", "@!x 10.0.0.5", "@host", "@ host 10.0.0.6", "@host  10.0.0.7", "10.0.0.8 @host", "@HOST 10.0.0.9", "@host.x 10.0.0.10"),
		"A: 10.0.0.1/32 10.0.0.4/32 10.0.0.7/32 10.0.0.8/32",
	},
	{"a condition before a block", "@no vrrp_instance A {\n \t@host vrrp_instance A {\n interface eth0\nvirtual_router_id 1\n}\n", "A:"},
	{"a condition after a brace", "vrrp_instance A { @host interface eth0\nvirtual_router_id 1\nvirtual_ipaddress { @no 10.0.0.1\n 10.0.0.2 }@no }\n}\n", "A: 10.0.0.2/32"},
	{"a definition with a condition", "@host $X=10.0.0.1\n@other $X=10.0.0.2\n" + vi("$X"), "A: 10.0.0.1/32"},

	// Definitions.
	{"definitions", "$A=10.0.0.1\n  $C=10.0.0\n" + vi("$A", "${A}", "${C}.3", "$A dev eth0", "${A}/24"), "A: 10.0.0.1/32 10.0.0.1/32 10.0.0.3/32 10.0.0.1/32 10.0.0.1/24"},
	{"a definition that refers to another", "$A=10.0.0\n$B=${A}.5\n" + vi("$B"), "A: 10.0.0.5/32"},
	{"the value at the time of use counts", "$A=10.0.0.1\n$B=$A\n$A=10.0.0.2\n" + vi("$B", "$A"), "A: 10.0.0.2/32 10.0.0.2/32"},
	{"a definition in quotes", "$A=10.0.0.1\n" + vi(`"${A}"`), "A: 10.0.0.1/32"},
	{"a definition of several lines", "$X=10.0.0.1 \\\n 10.0.0.2 \\ # comment\n\\\n 10.0.0.3\n" + vi("$X", "10.0.0.9"), "A: 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32 10.0.0.9/32"},
	{"a definition of a whole instance", "$I=vrrp_instance Z { \\\n interface eth0 \\\n virtual_router_id 9 \\\n virtual_ipaddress { \\\n 10.0.0.1 \\\n 10.0.0.2 } \\\n}\n$I\n" + vi("10.0.0.3"), "Z: 10.0.0.1/32 10.0.0.2/32; A: 10.0.0.3/32"},
	{"definitions of braces", "$X={\n$Y=}\nvrrp_instance A $X\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress $X\n10.0.0.1\n$Y\n$Y\n", "A: 10.0.0.1/32"},
	{"definitions of several lines within each other", "$X=10.0.0.1 \\\n10.0.1.2\n$Y=$X \\\n$Z=10.0.0.8 \\\n$Z \\\n10.0.0.7\n" + vi("${Y}"), "A: 10.0.0.1/32 10.0.1.2/32 10.0.0.8/32 10.0.0.7/32"},
	{"a sequence of several lines", "$X=10.0.0.${i} \\\n10.0.1.${i}\n" + vi("~SEQ(i,1,2) $X"), "A: 10.0.0.1/32 10.0.1.1/32 10.0.0.2/32 10.0.1.2/32"},
	{"an empty definition", "$X=\n" + vi("$X", "$X 10.0.0.8", "10.0.0.9$X"), "A: 10.0.0.8/32 10.0.0.9/32"},
	{"a definition after a brace", "vrrp_instance A { $X=10.0.0.1\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { $X \n}\n}\n", "A: 10.0.0.1/32"},
	{"a definition in a block", vi("$X=10.0.0.1", "$X") + instance("B", 2, "$X"), "A: 10.0.0.1/32; B: 10.0.0.1/32"},
	{"an unused definition", "$A=$B x\n$C=$C\n" + vi("10.0.0.1"), "A: 10.0.0.1/32"},
	{"a backslash elsewhere", vi("10.0.0.1\\", "10.0.0.2 \\", "10.0.0.3"), "A: 10.0.0.3/32"},

	// Repetitions.
	{
		"sequences", vi("~SEQ(x,1,3) 10.0.0.$x", "~SEQ(x,1,2) 10.0.1.${x}", "~SEQ(x,1,2,6) 10.0.2.${x}", "~SEQ(x, 2) 10.0.3.${x}", "~SEQ(x,5,-2,1) 10.0.4.${x}", "~SEQ (x,3,2) 10.0.5.${x}"),
		"A: 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32 10.0.1.1/32 10.0.1.2/32 10.0.2.1/32 10.0.2.3/32 10.0.2.5/32 10.0.3.1/32 10.0.3.2/32 10.0.4.5/32 10.0.4.3/32 10.0.4.1/32 10.0.5.3/32 10.0.5.2/32",
	},
	{"lists", vi("~LST(x,1,4) 10.0.0.${x}", "~LST(x,a,b) 10.0.1.${x}", "~LST(x, 5 , 7 ) 10.0.2.${x}", "~LST(x,1,,3) 10.0.3.${x}"), "A: 10.0.0.1/32 10.0.0.4/32 10.0.2.5/32 10.0.2.7/32 10.0.3.1/32 10.0.3.3/32"},
	{"a sequence of lists", vi("~SEQ(x,1,2) ~LST(y,5,6) 10.0.${x}.${y}"), "A: 10.0.1.5/32 10.0.1.6/32 10.0.2.5/32 10.0.2.6/32"},
	{"a sequence with definitions", "$N=3\n$P=10.0.0\n$R=5,6\n" + vi("~SEQ(i,1,$N) ${P}.${i}", "~SEQ(i,2,${N}) ${P}.${i}", "~SEQ(i,$R) 10.0.9.${i}"), "A: 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32 10.0.0.2/32 10.0.0.3/32 10.0.9.5/32 10.0.9.6/32"},
	{"a definition is one value of a list", "$L=1,2,5\n" + vi("~LST(x,$L) 10.0.0.${x}", "~LST(x,7,$L) 10.0.1.${x}", "~LST(x,$L) 10.0.2.2 label q${x}"), "A: 10.0.1.7/32 10.0.2.2/32"},

	// Definitions that Keepalived itself makes.
	{"the config ID", "vrrp_instance \"I${_INSTANCE}\" {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1 label $_INSTANCE\n}\n}\n", "Ihost: 10.0.0.1/32"},
	{"the config ID redefined", "$_INSTANCE=foo\n" + instance("${_INSTANCE}", 1, "@host 10.0.0.1", "@foo 10.0.0.2"), "foo: 10.0.0.1/32"},
	{"the characters of comments", vi("10.0.0.2 label a${_BANG}b", "10.0.0.3 $_HASH", "${_HASH}10.0.0.4", "10.0.0.5${_BANG}x", "10.0.0.6 $_BANG x", "$_HASH 10.0.0.7", "10.0.0.8 label $_HASH", "10.0.0.9 label \"a${_HASH}b\""), "A: 10.0.0.2/32 10.0.0.3/32 10.0.0.5/32 10.0.0.6/32 10.0.0.9/32"},
	{"the characters of comments hide a brace", "vrrp_instance A { $_HASH }\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { ${_BANG} }\n10.0.0.1\n}\n}\n", "A: 10.0.0.1/32"},

	// Characters that look like white space, but are not.
	{"invisible characters", vi("10.0.0.1 dev eth0", "10.0.0.2\u00a0dev eth0", "10.0.0.3 \u00a0dev eth9", "10.0.0.4 dev\u00a0eth0", "\u300010.0.0.5", "10.0.0.6\u0085", "\ufeff10.0.0.7", "10.0.0.8\u200b", "@host\u00a010.0.0.9"), "A: 10.0.0.1/32 10.0.0.3/32 10.0.0.4/32"},
	{"an invisible statement", "include\u00a0inc/x1.conf\n\u00a0@host foo\n\u00a0\n" + vi("10.0.0.1") + "\u3000\n", "A: 10.0.0.1/32"},
	{"a name keeps its last value", "$i=9\n" + vi("~SEQ(i,1,2) 10.0.0.${i}", "10.0.1.${i}"), "A: 10.0.0.1/32 10.0.0.2/32 10.0.1.2/32"},
}

// settings are files that set more than names and addresses.
var settings = []struct{ name, text, want string }{
	{
		"the advertisement interval", adverts("2", "2\nadvert_int 3", "x", "300", "0.5", "1.5", "254.6", "0", "+2 5"),
		"1: 10.0.0.1/32 every 2s; 2: 10.0.0.2/32 every 3s; 3: 10.0.0.3/32; 4: 10.0.0.4/32; 5: 10.0.0.5/32; 6: 10.0.0.6/32 every 2s; 7: 10.0.0.7/32 every 4m15s; 8: 10.0.0.8/32; 9: 10.0.0.9/32 every 2s",
	},
	{
		"the advertisement interval of version 3", "global_defs {\n vrrp_version 2\n vrrp_version 3\n}\n" + adverts("0.5", ".25", "0.015", "0.014", "255", "1.2.3", "1e1", "0.005", "00.5", "0.123456789"),
		"1: 10.0.0.1/32 every 500ms; 2: 10.0.0.2/32 every 250ms; 3: 10.0.0.3/32 every 20ms; 4: 10.0.0.4/32 every 10ms; 5: 10.0.0.5/32 every 40.95s; 6: 10.0.0.6/32; 7: 10.0.0.7/32; 8: 10.0.0.8/32; 9: 10.0.0.9/32 every 500ms; 10: 10.0.0.10/32 every 120ms",
	},
	{
		"the version of an instance", adverts("0.5\nversion 3\nversion 4", "0.5\nversion 2", "0.5") + "global_defs {\n vrrp_version 3\n}\n",
		"1: 10.0.0.1/32 every 500ms; 2: 10.0.0.2/32; 3: 10.0.0.3/32 every 500ms",
	},
	{
		"the version of a family", with("advert_int 0.5", "virtual_ipaddress {\n2001:db8::1\n}") + strings.NewReplacer("_id 1", "_id 2", "A", "B").Replace(with("version 2", "advert_int 0.5", "virtual_ipaddress {\n2001:db8::2\n}")),
		"A: 2001:db8::1/128 every 500ms; B: 2001:db8::2/128",
	},
	{"an instance of Keepalived", "instance one\ninstance one\ninstance two\n" + vi("10.0.0.1"), "A: 10.0.0.1/32; instance one"},
	{"settings in the wrong place", "global_defs {\n instance one\n net_namespace two\n}\nnotify_fifo /run/1\nscript_user daemon\n" + vi("10.0.0.1"), "A: 10.0.0.1/32"},
	{
		"FIFOs", "global_defs {\n notify_fifo \"/run/a b\" daemon adm\n vrrp_notify_fifo /run/1\n notify_fifo /run/3\n script_user bin\n}\nglobal_defs {\n vrrp_notify_fifo /run/2\n}\n" + vi("10.0.0.1"),
		"A: 10.0.0.1/32; FIFO /run/a b of daemon; FIFO /run/1 of root; user bin",
	},
	{
		"the user before the FIFO", "$U=daemon\nglobal_defs {\n script_user $U\n vrrp_notify_fifo /run/1\n script_user bin adm\n lvs_notify_fifo /run/2\n}\n" + vi("10.0.0.1"),
		"A: 10.0.0.1/32; FIFO /run/1 of daemon; user bin",
	},
}

// adverts returns instances 1, 2 and so on, each with one of the values as its advert_int.
func adverts(values ...string) string {
	var b strings.Builder
	for i, value := range values {
		fmt.Fprintf(&b, "vrrp_instance %d {\n interface eth0\n virtual_router_id %d\n advert_int 1\n advert_int %s\n virtual_ipaddress {\n 10.0.0.%d\n }\n}\n", i+1, i+1, value, i+1)
	}
	return b.String()
}

// summary formats a configuration as the cases do.
func summary(c *Config) string {
	var parts []string
	for _, inst := range c.Instances {
		part := inst.Name + ":" + list(inst.Addresses)
		if len(inst.Excluded) > 0 {
			part += " |" + list(inst.Excluded)
		}
		if inst.AdvertInterval != time.Second {
			part += " every " + inst.AdvertInterval.String()
		}
		parts = append(parts, part)
	}
	for _, g := range c.Groups {
		parts = append(parts, "["+g.Name+"] "+strings.Join(g.Members, " "))
	}
	if c.Instance != "" {
		parts = append(parts, "instance "+c.Instance)
	}
	if c.NetNamespace != "" {
		parts = append(parts, "namespace "+c.NetNamespace)
	}
	for _, f := range c.FIFOs {
		owner := f.User
		if owner == defaultUser { // there may be no user of that name
			owner = "root"
		}
		parts = append(parts, "FIFO "+f.Path+" of "+owner)
	}
	if c.ScriptUser != "" {
		parts = append(parts, "user "+c.ScriptUser)
	}
	return strings.Join(parts, "; ")
}

func list(prefixes []netip.Prefix) string {
	var b strings.Builder
	for _, p := range prefixes {
		b.WriteString(" " + p.String())
	}
	return b.String()
}

// write writes a file in dir and returns its path.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	for _, c := range slices.Concat(good, settings) {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(write(t, t.TempDir(), "k.conf", c.text), Options{ID: hostID})
			if err != nil {
				t.Fatalf("got %v, want no error", err)
			}
			if got := summary(got); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestALineIgnoredForAGuessedConfigIDCausesAWarning(t *testing.T) {
	text := "@west instance one\n@west $X=1\n" + with("@west priority 100", "@host priority 99", "@^host state MASTER", "virtual_ipaddress {", "@east 10.0.0.1", "@host 10.0.0.2", "@^host 10.0.0.3/24 dev eth0", "@!west 10.0.0.4", "}") +
		"@west vrrp_sync_group G {\n@west }\n"
	path := write(t, t.TempDir(), "k.conf", text)
	for _, guessed := range []bool{true, false} {
		got, err := Parse(path, Options{ID: hostID, Guessed: guessed})
		if err != nil {
			t.Fatal(err)
		}
		if !got.Conditions {
			t.Error("got no conditions, want some")
		}
		want := []string{"2: @west", "10: @east", "12: @^host", "16: @west", "17: @west"}
		if !guessed {
			want = nil
		}
		var lines []string
		for _, w := range got.Warnings {
			line, _, _ := strings.Cut(strings.TrimPrefix(w.Error(), path+":"), ": ignored, because the config ID is assumed to be the host name, host: ")
			lines = append(lines, line)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("guessed %v: got %q, want %q", guessed, lines, want)
		}
	}
	if got, err := Parse(write(t, t.TempDir(), "k.conf", vi("10.0.0.1")), Options{ID: hostID}); err != nil || got.Conditions {
		t.Errorf("no @ line: got conditions %v, %v, want none", got.Conditions, err)
	}
}
