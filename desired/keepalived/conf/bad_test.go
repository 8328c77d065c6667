package conf

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestErrorsNameFileAndLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		// Braces.
		{"no closing brace", "vrrp_instance A {\n interface eth0\n", `:1: the { of vrrp_instance A is never closed`},
		{"a closing brace is missing", "vrrp_instance A {\n virtual_ipaddress {\n 10.0.0.1\n}\n" + instance("B", 2), `:5: vrrp_instance within vrrp_instance, which begins on line 1: is a } missing before it?`},
		{"a list is not closed", "vrrp_instance A {\n virtual_ipaddress {\n 10.0.0.1\n virtual_ipaddress_excluded {\n}\n}\n}\n", `:4: virtual_ipaddress_excluded within virtual_ipaddress, which begins on line 2: is a } missing before it?`},
		{"a global block is not closed", "global_defs {\n" + vi("10.0.0.1"), `:2: vrrp_instance within global_defs, which begins on line 1: is a } missing before it?`},
		{"a closing brace too many", vi("10.0.0.1") + "}\n" + instance("B", 2), `:8: a } without {`},
		{"a closing brace too many before a list", "vrrp_instance A {\n}\nvirtual_ipaddress {\n}\n}\n", `:3: virtual_ipaddress outside vrrp_instance: is there one } too many before it?`},
		{"a brace without a keyword", "{\n}\n", `:1: a { that does not begin a block`},
		{"a second opening brace", "vrrp_instance A {{\n}\n}\n", `:1: a { that does not begin a block`},
		{"an opening brace is missing", "vrrp_instance A\n interface eth0\n}\n", `:1: vrrp_instance A without { after it`},
		{"a list's opening brace is missing", "vrrp_instance A {\n virtual_ipaddress\n 10.0.0.1\n }\n}\n", `:2: virtual_ipaddress without { after it`},
		{"a block after an address", vi("10.0.0.1 {", "dev eth0", "}"), `:5: a { after 10.0.0.1, which does not begin a block`},
		{"two lists in one group", "vrrp_sync_group G {\n group {\n A\n}\n group {\n B\n}\n}\n", `:5: a second group in G: Keepalived uses only the first`},
		{"a byte order mark", "\ufeff" + vi("10.0.0.1"), `:4: virtual_ipaddress within ` + "\ufeff" + `vrrp_instance, which begins on line 1: is a } missing before it?`},

		{"a list's brace after an invisible character", "vrrp_instance A {\n virtual_ipaddress\u00a0{\n 10.0.0.1\n }\n}\n", `would take its } as the end of vrrp_instance (the invisible character U+00A0 is not a blank to Keepalived)`},
		{"a keyed HMAC without a block", with("auth_hmac"), `:4: auth_hmac without { after it`},

		// Lines.
		{"a long line", vi("10.0.0.1 #" + strings.Repeat("x", 1100)), `:5: the line is longer than 1022 bytes: Keepalived would split it, or from 2.4 on ignore it`},
		{"a line of 1023 bytes", vi("10.0.0.1 " + strings.Repeat("x", 1023-9)), `:5: the line is longer than 1022 bytes`},
		{"a NUL", vi("10.0.0.1\x00"), `:5: a NUL byte: is this a text file?`},
		{"an unclosed quote", vi(`10.0.0.1 label "a`), `:5: 10.0.0.1: a quote that is not closed on its line`},
		{"only a quote", vi(`"`), `:5: : a quote that is not closed on its line`},
		{"a quote that hides a brace", "vrrp_script x {\n script \"/bin/x }\n}\n", `:2: a quote that is not closed on its line hides a brace`},
		{"a name with an unclosed quote", "vrrp_instance \"A {\n}\n", `:1: a quote that is not closed on its line hides a brace`},
		{"a misspelt block", with("authentification {", "auth_type PASS", "}"), `:4: authentification does not begin a block that Keepalived knows within vrrp_instance, so Keepalived would take its } as the end of vrrp_instance`},
		{"a block after a word", with("priority 100", "{", "}"), `:4: priority does not begin a block that Keepalived knows within vrrp_instance, so Keepalived would take its } as the end of vrrp_instance`},
		{"a block within a block", with("track_script {", "x {", "}", "}"), `:5: x does not begin a block that Keepalived knows within track_script, so Keepalived would take its } as the end of track_script`},
		{"a server in an instance", with("virtual_server 10.0.0.1 80 {", "}"), `:4: virtual_server does not begin a block that Keepalived knows within vrrp_instance, so Keepalived would take its } as the end of vrrp_instance`},
		{"a misspelt block in a group", "vrrp_sync_group G {\n foo {\n }\n group {\n A\n }\n}\n", `:2: foo does not begin a block that Keepalived knows within vrrp_sync_group, so Keepalived would take its } as the end of vrrp_sync_group`},
		{"an escaped comment", vi(`10.0.0.1 label a\#b`), `:5: \# outside quotes is not supported: put the word in quotes`},

		// Conditions.
		{"two conditions", vi("@host @host 10.0.0.1"), `:5: two @ conditions on one line are not supported: Keepalived applies only the first`},
		{"a condition from a definition", "$L=@host 10.0.0.1\n" + vi("$L"), `:6: a definition that begins with an @ condition is not supported: write the condition on the line itself`},

		// Definitions.
		{"an undefined address", vi("$UNDEF"), `:5: $UNDEF is not defined`},
		{"an undefined part", vi("10.0.0.1", "10.0.0.2 dev $UNDEF"), `:6: 10.0.0.2: $UNDEF is not defined, or must be written as ${NAME}`},
		{"undefined in braces", vi("10.0.0.${UNDEF}"), `:5: ${UNDEF} is not defined`},
		{"undefined in braces elsewhere", "global_defs {\n router_id ${UNDEF}\n}\n", `:2: ${UNDEF} is not defined`},
		{"undefined at top level", "$UNDEF\n", `:1: $UNDEF is not defined`},
		{"an undefined instance", "vrrp_instance $UNDEF {\n}\n", `:1: vrrp_instance: $UNDEF is not defined, or must be written as ${NAME}`},
		{"an undefined member", "vrrp_sync_group G {\n group {\n A\n B$UNDEF\n}\n}\n", `:4: B$UNDEF is not defined`},
		{"a part without braces", "$N=10.0.0\n" + vi("$N.1"), `:6: $N.1 is not defined`},
		{"a space before the =", "$A = 10.0.0.1\n" + vi("10.0.0.1"), `:1: $A is not defined`},
		{"one that Keepalived itself defines", vi("10.0.0.1 label ${_RANDOM}"), `:5: 10.0.0.1: $_RANDOM is not defined, or must be written as ${NAME}`},
		{"a definition that refers to itself", "$A=$A\n" + vi("$A"), `:6: definitions that refer to each other endlessly`},
		{"definitions that refer to each other", "$A=x ${B}\n$B=y ${A}\n" + vi("10.0.0.1 ${A}"), `:7: definitions that refer to each other endlessly`},
		{"several lines with other words", "$X=10.0.0.1 \\\n10.0.0.2\n" + vi("$X dev eth0"), `:7: $X has several lines: this is supported only if it is alone on its line`},
		{"several lines before a brace", "$X=10.0.0.1 \\\n10.0.0.2\nvrrp_instance A {\nvirtual_ipaddress { $X }\n}\n", `:4: $X has several lines: this is supported only if it is alone on its line`},
		{"an empty line in a definition", "$X=10.0.0.1 \\\n\n10.0.0.2\n", `:2: an empty line ends the definition of $X, although the line before it ends in \`},
		{"a comment in a definition", "$X=10.0.0.1 \\\n# c\n10.0.0.2\n", `:2: an empty line ends the definition of $X, although the line before it ends in \`},
		{"a comment with a backslash", "$X=10.0.0.1 # c \\\n10.0.0.2\n", `:1: a \ at the end of a comment is not supported in a definition`},
		{"only a comment with a backslash", "$X=10.0.0.1 \\\n# c \\\n10.0.0.2\n", `:2: a \ at the end of a comment is not supported in a definition`},
		{"a repetition from a definition", "$X=~SEQ(i,1,2) 10.0.9.${i}\n" + vi("$X"), `:6: a definition that contains a repetition is not supported: write ~SEQ or ~LST on the line itself`},
		{"a list in a definition of several lines", "$X=10.0.0.1 \\\n~LST(i,1,2) 10.0.9.${i}\n" + vi("${X}"), `:7: a definition that contains a repetition is not supported: write ~SEQ or ~LST on the line itself`},
		{"a comment from a definition", "$H=$_HASH\n" + vi("10.0.0.1 $H x"), `:6: $_HASH within a definition or a repetition is not supported`},
		{"a name from a definition", "$L=i,1,3\n" + vi("~SEQ($L) 10.0.0.${i}"), `:6: ~SEQ($L) is not supported: want values without braces, parentheses, quotes and $`},
		{"a definition without an end", vi("10.0.0.1") + "$X=a \\\n", `:8: the file ends within the definition of $X: its last line ends in \`},
		{"a long expansion", "$L=" + strings.Repeat("a", 300) + "\n" + vi("10.0.0.1 ${L} ${L} ${L} ${L}"), `:6: with its definitions expanded, the line is longer than 1023 bytes: Keepalived would drop the rest`},

		// Repetitions.
		{"tuples", vi("~LST({a,b},{1,2},{3,4}) 10.0.${a}.${b}"), `:5: ~LST({a,b},{1,2},{3,4}) is not supported: want values without braces, parentheses, quotes and $`},
		{"no values", vi("~LST(a) 10.0.0.${a}"), `:5: ~LST(a) is malformed: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"an octal number", vi("~SEQ(i,08,11) 10.0.0.${i}"), `:5: ~SEQ(i,08,11) is malformed: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"letters instead of numbers", vi("~SEQ(i,a,f) 10.0.0.${i}"), `:5: ~SEQ(i,a,f) is malformed: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"a step of 0", vi("~SEQ(i,1,0,3) 10.0.0.${i}"), `:5: ~SEQ(i,1,0,3) is malformed: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"a step in the wrong direction", vi("~SEQ(i,1,-1,3) 10.0.0.${i}"), `:5: ~SEQ(i,1,-1,3) is malformed: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)`},
		{"hexadecimal", vi("~SEQx(i,8,11) 2001:db8::${i}"), `:5: ~SEQx(i,8,11) is not supported: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…), then a line`},
		{"two repetitions with an address between them", vi("~SEQ(i,1,2) 10.0.0.${i} ~SEQ(j,1,2) 10.0.1.${j}"), `:5: ${j} is not defined`},
		{"an include from a repetition", "~SEQ(x,1,2) include x${x}.conf\n", `:1: an include that comes from a definition or a repetition is not supported: write the path itself`},
		{"too many lines", "~SEQ(a,1,1000) ~SEQ(b,1,1000) foo\n", `:1: more than 200000 lines and references, with all includes and repetitions`},
		{"exponential growth", explosion(), `more than 200000 lines and references, with all includes and repetitions`},
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
				t.Errorf("got %+v along with the error, want only what to watch", got)
			}
		})
	}
}

// For Keepalived, a keyword begins its block even if no { follows (seen on 2.2.7), so it loses what follows, such as instance B.
func TestABlockWithoutAnOpeningBraceIsAnError(t *testing.T) {
	for _, word := range []string{"track_interface eth0", "track_script x", "track_file x", "track_process x", "track_bfd x", "authentication", "virtual_routes", "virtual_rules", "unicast_peer 10.9.9.3", "virtual_ipaddress_excluded"} {
		refuses(t, with("virtual_ipaddress {\n10.0.0.1\n}", word)+instance("B", 2, "10.0.0.2"), 7, word+" without { after it")
	}
	for _, word := range []string{"track_interface", "track_script", "track_file", "track_process", "track_bfd"} {
		refuses(t, "vrrp_sync_group G {\n group {\n A\n}\n"+word+"\n}\n"+vi("10.0.0.1"), 5, word+" without { after it")
	}
	for _, word := range []string{
		"global_defs", "vrrp_sync_group G", "static_ipaddress", "static_routes", "static_rules", "garp_group", "linkbeat_interfaces",
		"vrrp_script", "vrrp_track_file", "track_file", "vrrp_track_process", "track_group", "bfd_instance", "interface_up_down_delays",
	} {
		refuses(t, word+"\n"+vi("10.0.0.1"), 1, word+" without { after it")
	}
}

// refuses checks that Parse returns exactly this error for this line.
func refuses(t *testing.T, text string, line int, want string) {
	t.Helper()
	path := write(t, t.TempDir(), "k.conf", text)
	got, err := Parse(path, Options{ID: hostID})
	if want := fmt.Sprintf("%s:%d: %s", path, line, want); err == nil || err.Error() != want {
		t.Errorf("got %s, %v, want %s", summary(got), err, want)
	}
}

func TestABlockThatOnlyLaterVersionsKnowCausesAWarning(t *testing.T) {
	text := with("auth_hmac {\n algorithm sha256\n}", "virtual_ipaddress {\n10.0.0.1\n}")
	path := write(t, t.TempDir(), "k.conf", text)
	got, err := Parse(path, Options{ID: hostID})
	if err != nil || summary(got) != "A: 10.0.0.1/32" {
		t.Fatalf("got %s, %v, want A: 10.0.0.1/32", summary(got), err)
	}
	if want := path + ":4: auth_hmac: Keepalived up to 2.3 does not know it and misreads what follows"; len(got.Warnings) != 1 || got.Warnings[0].Error() != want {
		t.Errorf("got %q, want %s", got.Warnings, want)
	}
}

func TestAnInvisibleCharacterCausesAWarning(t *testing.T) {
	for text, want := range map[string]string{
		vi("10.0.0.1\u00a0"):         `:5: the invisible character U+00A0 is not a blank to Keepalived, which takes it as part of "10.0.0.1\u00a0"`,
		vi("10.0.0.1 dev\u3000eth0"): `:5: the invisible character U+3000 is not a blank to Keepalived, which takes it as part of "dev\u3000eth0"`,
		with("\u0085priority 100"):   `:4: the invisible character U+0085 is not a blank to Keepalived, which takes it as part of "\u0085priority"`,
		"include\u00a0/x\n":          `:1: the invisible character U+00A0 is not a blank to Keepalived, which takes it as part of "include\u00a0/x"`,
		vi("@host\u00a010.0.0.1"):    `:5: the invisible character U+00A0 is not a blank to Keepalived, which takes it as part of "@host\u00a010.0.0.1", and compares all of that with its config ID`,
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

// explosion returns a configuration that needs 2^30 expansions of a definition whose value is empty.
func explosion() string {
	var b strings.Builder
	b.WriteString("$A00=\n")
	for i := range 30 {
		fmt.Fprintf(&b, "$A%02d=${A%02d}${A%02d}\n", i+1, i, i)
	}
	return b.String() + vi("10.0.0.1 ${A30}")
}

func TestAnUnreadableFileIsAnError(t *testing.T) {
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

func TestTextThatKeepalivedIgnoresCausesAWarning(t *testing.T) {
	text := instance("A", 1, "10.0.0.1", "10.0.0", "10.0.0.2 dev", "2001:db8::1") + instance("A", 2) + instance("B C", 3) +
		"vrrp_sync_group G {\n group {\n A\n NOPE\n}\n}\n"
	path := write(t, t.TempDir(), "k.conf", text)
	got, err := Parse(path, Options{ID: hostID})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		path + ":6: 10.0.0: not an address: Keepalived ignores it",
		path + ":7: 10.0.0.2: dev without a parameter: Keepalived ignores it",
		path + ":8: 2001:db8::1: not of the instance's address family: Keepalived ignores it",
		path + ":11: vrrp_instance A exists already: Keepalived ignores this one",
		path + ":18: vrrp_instance B C must have one name: Keepalived ignores the block",
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
