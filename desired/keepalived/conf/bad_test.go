package conf

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatCannotBeReadIsAnErrorWithItsPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		// Braces.
		{"no closing brace", "vrrp_instance A {\n interface eth0\n", `:1: the { of vrrp_instance A has no }`},
		{"a closing brace is missing", "vrrp_instance A {\n virtual_ipaddress {\n 10.0.0.1\n}\n" + instance("B", 2), `:5: vrrp_instance within vrrp_instance, which begins in line 1: is a } missing before it?`},
		{"a list is not closed", "vrrp_instance A {\n virtual_ipaddress {\n 10.0.0.1\n virtual_ipaddress_excluded {\n}\n}\n}\n", `:4: virtual_ipaddress_excluded within virtual_ipaddress, which begins in line 2: is a } missing before it?`},
		{"a global block is not closed", "global_defs {\n" + vi("10.0.0.1"), `:2: vrrp_instance within global_defs, which begins in line 1: is a } missing before it?`},
		{"one too many", vi("10.0.0.1") + "}\n" + instance("B", 2), `:8: a } without {`},
		{"one too many early", "vrrp_instance A {\n}\nvirtual_ipaddress {\n}\n}\n", `:3: virtual_ipaddress in no vrrp_instance: is there a } too many before it?`},
		{"no block", "{\n}\n", `:1: a { that begins no block`},
		{"a block in a block", "vrrp_instance A {{\n}\n}\n", `:1: a { that begins no block`},
		{"an opening brace is missing", "vrrp_instance A\n interface eth0\n}\n", `:1: vrrp_instance A without { after it`},
		{"a list's opening brace is missing", "vrrp_instance A {\n virtual_ipaddress\n 10.0.0.1\n }\n}\n", `:2: virtual_ipaddress without { after it`},
		{"an address with a block", vi("10.0.0.1 {", "dev eth0", "}"), `:5: a { after 10.0.0.1, which begins no block`},
		{"a group twice", "vrrp_sync_group G {\n group {\n A\n}\n group {\n B\n}\n}\n", `:5: a second group in G: Keepalived takes the first only`},
		{"a byte order mark", "\ufeff" + vi("10.0.0.1"), `:4: virtual_ipaddress within ` + "\ufeff" + `vrrp_instance, which begins in line 1: is a } missing before it?`},

		{"a list's brace behind an invisible character", "vrrp_instance A {\n virtual_ipaddress\u00a0{\n 10.0.0.1\n }\n}\n", `would take the } for the end of it (the invisible character U+00A0 is no blank to Keepalived)`},
		{"a keyed HMAC without a block", with("auth_hmac"), `:4: auth_hmac without { after it`},

		// Lines.
		{"a long line", vi("10.0.0.1 #" + strings.Repeat("x", 1100)), `:5: the line is longer than 1022 bytes: Keepalived would cut it in two, or from 2.4 on leave it out`},
		{"a line of 1023 bytes", vi("10.0.0.1 " + strings.Repeat("x", 1023-9)), `:5: the line is longer than 1022 bytes`},
		{"a NUL", vi("10.0.0.1\x00"), `:5: a NUL byte: is this a text file?`},
		{"an open quote", vi(`10.0.0.1 label "a`), `:5: 10.0.0.1: a quote that does not end on its line`},
		{"nothing but a quote", vi(`"`), `:5: : a quote that does not end on its line`},
		{"a quote that hides a brace", "vrrp_script x {\n script \"/bin/x }\n}\n", `:2: a quote that does not end on its line hides a brace`},
		{"a name with an open quote", "vrrp_instance \"A {\n}\n", `:1: a quote that does not end on its line hides a brace`},
		{"a misspelt block", with("authentification {", "auth_type PASS", "}"), `:4: authentification begins no block that Keepalived knows within vrrp_instance: it would take the } for the end of it`},
		{"a block after a word", with("priority 100", "{", "}"), `:4: priority begins no block that Keepalived knows within vrrp_instance: it would take the } for the end of it`},
		{"a block within a block", with("track_script {", "x {", "}", "}"), `:5: x begins no block that Keepalived knows within track_script: it would take the } for the end of it`},
		{"a server in an instance", with("virtual_server 10.0.0.1 80 {", "}"), `:4: virtual_server begins no block that Keepalived knows within vrrp_instance: it would take the } for the end of it`},
		{"a misspelt block in a group", "vrrp_sync_group G {\n foo {\n }\n group {\n A\n }\n}\n", `:2: foo begins no block that Keepalived knows within vrrp_sync_group: it would take the } for the end of it`},
		{"an escaped comment", vi(`10.0.0.1 label a\#b`), `:5: \# outside quotes is not supported: put the word in quotes`},

		// Conditions.
		{"two conditions", vi("@host @host 10.0.0.1"), `:5: two @ conditions on one line are not supported: Keepalived obeys only the first`},
		{"a condition by a definition", "$L=@host 10.0.0.1\n" + vi("$L"), `:6: a definition that stands for an @ condition is not supported: write the condition on the line`},

		// Definitions.
		{"an undefined address", vi("$UNDEF"), `:5: definition $UNDEF is not known`},
		{"an undefined part", vi("10.0.0.1", "10.0.0.2 dev $UNDEF"), `:6: 10.0.0.2: definition $UNDEF is not known, or not written as ${NAME}`},
		{"undefined in braces", vi("10.0.0.${UNDEF}"), `:5: definition ${UNDEF} is not known`},
		{"undefined in braces elsewhere", "global_defs {\n router_id ${UNDEF}\n}\n", `:2: definition ${UNDEF} is not known`},
		{"undefined at the top", "$UNDEF\n", `:1: definition $UNDEF is not known`},
		{"an undefined instance", "vrrp_instance $UNDEF {\n}\n", `:1: vrrp_instance: definition $UNDEF is not known, or not written as ${NAME}`},
		{"an undefined member", "vrrp_sync_group G {\n group {\n A\n B$UNDEF\n}\n}\n", `:4: definition B$UNDEF is not known`},
		{"not written in braces", "$N=10.0.0\n" + vi("$N.1"), `:6: definition $N.1 is not known`},
		{"a blank before the =", "$A = 10.0.0.1\n" + vi("10.0.0.1"), `:1: definition $A is not known`},
		{"one of Keepalived's own", vi("10.0.0.1 label ${_RANDOM}"), `:5: 10.0.0.1: definition $_RANDOM is not known, or not written as ${NAME}`},
		{"a definition of itself", "$A=$A\n" + vi("$A"), `:6: definitions that stand for each other without end`},
		{"definitions of each other", "$A=x ${B}\n$B=y ${A}\n" + vi("10.0.0.1 ${A}"), `:7: definitions that stand for each other without end`},
		{"several lines not alone", "$X=10.0.0.1 \\\n10.0.0.2\n" + vi("$X dev eth0"), `:7: $X stands for several lines: it is supported only alone on its line`},
		{"several lines before a brace", "$X=10.0.0.1 \\\n10.0.0.2\nvrrp_instance A {\nvirtual_ipaddress { $X }\n}\n", `:4: $X stands for several lines: it is supported only alone on its line`},
		{"an empty line in a definition", "$X=10.0.0.1 \\\n\n10.0.0.2\n", `:2: an empty line ends the definition of $X, though the line before it ends in \`},
		{"a comment in a definition", "$X=10.0.0.1 \\\n# c\n10.0.0.2\n", `:2: an empty line ends the definition of $X, though the line before it ends in \`},
		{"a comment with a backslash", "$X=10.0.0.1 # c \\\n10.0.0.2\n", `:1: a \ at the end of a comment is not supported in a definition`},
		{"a comment alone with a backslash", "$X=10.0.0.1 \\\n# c \\\n10.0.0.2\n", `:2: a \ at the end of a comment is not supported in a definition`},
		{"a repetition by a definition", "$X=~SEQ(i,1,2) 10.0.9.${i}\n" + vi("$X"), `:6: a definition that stands for a repetition is not supported: write ~SEQ or ~LST on the line`},
		{"a list in a definition of several lines", "$X=10.0.0.1 \\\n~LST(i,1,2) 10.0.9.${i}\n" + vi("${X}"), `:7: a definition that stands for a repetition is not supported: write ~SEQ or ~LST on the line`},
		{"a comment by a definition", "$H=$_HASH\n" + vi("10.0.0.1 $H x"), `:6: $_HASH within a definition or a repetition is not supported`},
		{"a name by a definition", "$L=i,1,3\n" + vi("~SEQ($L) 10.0.0.${i}"), `:6: ~SEQ($L) is not supported: want plain values`},
		{"a definition without end", vi("10.0.0.1") + "$X=a \\\n", `:8: the file ends within the definition of $X: its last line ends in \`},
		{"a long expansion", "$L=" + strings.Repeat("a", 300) + "\n" + vi("10.0.0.1 ${L} ${L} ${L} ${L}"), `:6: with its definitions the line is longer than 1023 bytes: Keepalived would leave some out`},

		// Repetitions.
		{"tuples", vi("~LST({a,b},{1,2},{3,4}) 10.0.${a}.${b}"), `:5: ~LST({a,b},{1,2},{3,4}) is not supported: want plain values`},
		{"no values", vi("~LST(a) 10.0.0.${a}"), `:5: ~LST(a) cannot be read: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"an octal number", vi("~SEQ(i,08,11) 10.0.0.${i}"), `:5: ~SEQ(i,08,11) cannot be read: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"no number", vi("~SEQ(i,a,f) 10.0.0.${i}"), `:5: ~SEQ(i,a,f) cannot be read: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"a step of 0", vi("~SEQ(i,1,0,3) 10.0.0.${i}"), `:5: ~SEQ(i,1,0,3) cannot be read: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"a step away", vi("~SEQ(i,1,-1,3) 10.0.0.${i}"), `:5: ~SEQ(i,1,-1,3) cannot be read: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"hexadecimal", vi("~SEQx(i,8,11) 2001:db8::${i}"), `:5: ~SEQx(i,8,11) is not supported: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…), then a line`},
		{"two on one line", vi("~SEQ(i,1,2) 10.0.0.${i} ~SEQ(j,1,2) 10.0.1.${j}"), `:5: definition ${j} is not known`},
		{"an include", "~SEQ(x,1,2) include x${x}.conf\n", `:1: an include made by a definition or a repetition is not supported: write it out`},
		{"too many", "~SEQ(a,1,1000) ~SEQ(b,1,1000) foo\n", `:1: more than 200000 lines and references, with all includes and repetitions`},
		{"an explosion", explosion(), `more than 200000 lines and references, with all includes and repetitions`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "k.conf", c.text)
			got, err := Parse(path, Options{ID: hostID})
			if err == nil {
				t.Fatalf("got %s, want an error", summary(got))
			}
			if text, ok := strings.CutPrefix(err.Error(), path); !ok || !strings.Contains(text, c.want) {
				t.Errorf("got  %s\nwant %s%s", err, path, c.want)
			}
			if p := (Problem{}); !errors.As(err, &p) {
				t.Errorf("got a %T, want a Problem", err)
			}
			if len(got.Instances)+len(got.Groups) > 0 || len(got.Watch) != 1 {
				t.Errorf("got %+v beside the error, want only what to watch", got)
			}
		})
	}
}

// A keyword begins its block whether or not a { follows (seen on 2.2.7): what follows it is lost, and VI_2 with it.
func TestABlockWithoutItsBraceIsAnError(t *testing.T) {
	for _, word := range []string{"track_interface eth0", "track_script x", "track_file x", "track_process x", "track_bfd x", "authentication", "virtual_routes", "virtual_rules", "unicast_peer 10.9.9.3", "virtual_ipaddress_excluded"} {
		refuses(t, with("virtual_ipaddress {\n10.0.0.1\n}", word)+instance("B", 2, "10.0.0.2"), 7, word+" without { after it")
	}
	for _, word := range tracks {
		refuses(t, "vrrp_sync_group G {\n group {\n A\n}\n"+word+"\n}\n"+vi("10.0.0.1"), 5, word+" without { after it")
	}
	for _, word := range append([]string{"global_defs", "vrrp_sync_group G"}, outerBlocks...) {
		refuses(t, word+"\n"+vi("10.0.0.1"), 1, word+" without { after it")
	}
}

// refuses asserts that a text is an error in a line.
func refuses(t *testing.T, text string, line int, want string) {
	t.Helper()
	path := write(t, t.TempDir(), "k.conf", text)
	got, err := Parse(path, Options{ID: hostID})
	if want := fmt.Sprintf("%s:%d: %s", path, line, want); err == nil || err.Error() != want {
		t.Errorf("got %s, %v, want %s", summary(got), err, want)
	}
}

func TestWhatLaterVersionsKnowIsAWarning(t *testing.T) {
	text := with("auth_hmac {\n algorithm sha256\n}", "virtual_ipaddress {\n10.0.0.1\n}")
	path := write(t, t.TempDir(), "k.conf", text)
	got, err := Parse(path, Options{ID: hostID})
	if err != nil || summary(got) != "A: 10.0.0.1/32" {
		t.Fatalf("got %s, %v, want A: 10.0.0.1/32", summary(got), err)
	}
	if want := path + ":4: auth_hmac: up to 2.3 Keepalived does not know it, and loses what follows it"; len(got.Warnings) != 1 || got.Warnings[0].Error() != want {
		t.Errorf("got %q, want %s", got.Warnings, want)
	}
}

func TestAnInvisibleCharacterIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		vi("10.0.0.1\u00a0"):         `:5: the invisible character U+00A0 is no blank: Keepalived takes it for a part of "10.0.0.1\u00a0"`,
		vi("10.0.0.1 dev\u3000eth0"): `:5: the invisible character U+3000 is no blank: Keepalived takes it for a part of "dev\u3000eth0"`,
		with("\u0085priority 100"):   `:4: the invisible character U+0085 is no blank: Keepalived takes it for a part of "\u0085priority"`,
		"include\u00a0/x\n":          `:1: the invisible character U+00A0 is no blank: Keepalived takes it for a part of "include\u00a0/x"`,
		vi("@host\u00a010.0.0.1"):    `:5: the invisible character U+00A0 is no blank: Keepalived takes it for a part of "@host\u00a010.0.0.1", and leaves the line out or not by that`,
	} {
		path := write(t, t.TempDir(), "k.conf", text)
		got, err := Parse(path, Options{ID: hostID})
		if err != nil || len(got.Warnings) == 0 || got.Warnings[0].Error() != path+want {
			t.Errorf("%+q: got %+q, %v, want %s", text, got.Warnings, err, want)
		}
	}
	if got, err := Parse(write(t, t.TempDir(), "k.conf", instance("\"a\u00a0b\"", 1, "10.0.0.1")), Options{ID: hostID}); err != nil || len(got.Warnings) > 0 {
		t.Errorf("in quotes: got %+q, %v, want no warning", got.Warnings, err)
	}
}

// explosion is a definition whose value is empty, after 2^30 expansions.
func explosion() string {
	var b strings.Builder
	b.WriteString("$A00=\n")
	for i := range 30 {
		fmt.Fprintf(&b, "$A%02d=${A%02d}${A%02d}\n", i+1, i, i)
	}
	return b.String() + vi("10.0.0.1 ${A30}")
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.conf"): filepath.Join(dir, "none.conf") + ": reading: no such file or directory",
		dir:                             dir + ": reading: not a regular file",
	} {
		got, err := Parse(path, Options{ID: hostID})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if len(got.Watch) != 1 || got.Watch[0] != path {
			t.Errorf("got %q to watch, want %s", got.Watch, path)
		}
	}
}

func TestWhatKeepalivedDropsIsAWarningWithItsPlace(t *testing.T) {
	text := instance("A", 1, "10.0.0.1", "10.0.0", "10.0.0.2 dev", "2001:db8::1") + instance("A", 2) + instance("B C", 3) +
		"vrrp_sync_group G {\n group {\n A\n NOPE\n}\n}\n"
	path := write(t, t.TempDir(), "k.conf", text)
	got, err := Parse(path, Options{ID: hostID})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		path + ":6: 10.0.0: no address: Keepalived leaves it out",
		path + ":7: 10.0.0.2: dev without a parameter: Keepalived leaves it out",
		path + ":8: 2001:db8::1: not of the instance's address family: Keepalived leaves it out",
		path + ":11: vrrp_instance A is there already: Keepalived leaves this one out",
		path + ":18: vrrp_instance B C must have one name: Keepalived leaves the block out",
		path + ":25: vrrp_sync_group G: there is no vrrp_instance NOPE",
	}
	var lines []string
	for _, w := range got.Warnings {
		lines = append(lines, w.Error())
	}
	if got, want := strings.Join(lines, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
