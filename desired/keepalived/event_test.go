package keepalived

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestParseEvent(t *testing.T) {
	t.Parallel()
	instance := func(name, state string, priority int) Event { return Event{"INSTANCE", name, state, priority} }
	for _, c := range []struct {
		line string
		want Event
	}{
		{`INSTANCE "VI_1" MASTER 150`, instance("VI_1", "MASTER", 150)},
		{`INSTANCE "VI_1" BACKUP 255`, instance("VI_1", "BACKUP", 255)},
		{`INSTANCE "VI_1" FAULT 0`, instance("VI_1", "FAULT", 0)},
		{`INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100`, instance("VI_1", "MASTER_RX_LOWER_PRI", 100)},
		{`INSTANCE "VI_1" BACKUP_PRIORITY 100`, instance("VI_1", "BACKUP_PRIORITY", 100)},
		{`INSTANCE "VI_1" WHO_KNOWS 100`, instance("VI_1", "WHO_KNOWS", 100)},
		{`GROUP "G 1" STOP 0`, Event{"GROUP", "G 1", "STOP", 0}},
		// Keepalived does not escape a name (seen on 2.2.7). Only quotes and newlines cannot occur in it.
		{`INSTANCE "web front \ #1 !" MASTER 1`, instance(`web front \ #1 !`, "MASTER", 1)},
		{`INSTANCE "Zürich" MASTER 1`, instance("Zürich", "MASTER", 1)},
		{`INSTANCE " MASTER 100" BACKUP 1`, instance(" MASTER 100", "BACKUP", 1)},
		// Keepalived may write about virtual and real servers to the same FIFO.
		{`VS [192.0.2.1]:tcp:80 UP`, Event{Type: "VS"}},
		{`RS [192.0.2.1]:tcp:80 [192.0.2.2]:tcp:80 DOWN`, Event{Type: "RS"}},
		{`VSG`, Event{Type: "VSG"}},
	} {
		if got, err := ParseEvent([]byte(c.line)); err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", c.line, got, err, c.want)
		}
	}
}

func TestParseEventRejectsMalformedLines(t *testing.T) {
	t.Parallel()
	for what, line := range map[string]string{
		"nothing":                    ``,
		"a space":                    ` `,
		"a leading space":            ` INSTANCE "A" MASTER 1`,
		"a type in lower case":       `instance "A" MASTER 1`,
		"no type":                    `"A" MASTER 1`,
		"only a type":                `INSTANCE`,
		"no name":                    `GROUP MASTER 1`,
		"a name without quotes":      `INSTANCE A MASTER 1`,
		"an empty name":              `INSTANCE "" MASTER 1`,
		"a name without an end":      `INSTANCE "A MASTER 1`,
		"a quote in the name":        `INSTANCE "A"B" MASTER 1`,
		"two lines joined":           `INSTANCE "A" MASINSTANCE "A" MASTER 1`,
		"two lines joined in a name": `INSTANCE "AINSTANCE "A" MASTER 1`,
		"no state":                   `INSTANCE "A"`,
		"an empty state":             `INSTANCE "A"  1`,
		"a state in lower case":      `INSTANCE "A" master 1`,
		"no priority":                `INSTANCE "A" MASTER`,
		"an empty priority":          `INSTANCE "A" MASTER `,
		"a priority above 255":       `INSTANCE "A" MASTER 256`,
		"a priority below 0":         `INSTANCE "A" MASTER -1`,
		"a priority in words":        `INSTANCE "A" MASTER high`,
		"text after the priority":    `INSTANCE "A" MASTER 1 2`,
		"a carriage return":          "INSTANCE \"A\" MASTER 1\r",
		"a line that is too long":    `INSTANCE "` + strings.Repeat("A", maxLine) + `" MASTER 1`,
	} {
		if got, err := ParseEvent([]byte(line)); err == nil || got != (Event{}) {
			t.Errorf("%s: got %+v, %v, want an error and no event", what, got, err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, line := range []string{
		`INSTANCE "VI_1" MASTER 150`,
		`INSTANCE "VI_1" MASTER_RX_LOWER_PRI 007`,
		`INSTANCE "a \ # ü" DELETED 255`,
		`INSTANCE "A" INSTANCE "A" MASTER 1`,
		`INSTANCE "A" "B" MASTER 1`,
		`INSTANCE "A"`,
		`GROUP "G" FAULT 0`,
		`GROUP "G" FAULT 00000000000000000000000`,
		`VS [192.0.2.1]:tcp:80 UP`,
		"INSTANCE \"\xff\x00\" BACKUP 1",
		``,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		e, err := ParseEvent(line)
		if !bytes.Equal(line, before) {
			t.Errorf("%q: got the line changed to %q, want it unchanged", before, line)
		}
		if err != nil {
			if e != (Event{}) {
				t.Errorf("%q: got %+v along with the error %v, want no event", line, e, err)
			}
			return
		}
		if named := e.Type == "INSTANCE" || e.Type == "GROUP"; !named {
			if e != (Event{Type: e.Type}) || !bytes.HasPrefix(line, []byte(e.Type)) {
				t.Errorf("%q: got %+v, want only the type that it begins with", line, e)
			}
			return
		}
		if e.Name == "" || strings.Contains(e.Name, `"`) || e.Priority < 0 || e.Priority > 255 {
			t.Errorf("%q: got %+v, want a name without quotes and a priority from 0 to 255", line, e)
		}
		again := fmt.Sprintf(`%s "%s" %s %d`, e.Type, e.Name, e.State, e.Priority)
		if !bytes.HasPrefix(line, fmt.Appendf(nil, `%s "%s" %s `, e.Type, e.Name, e.State)) {
			t.Errorf("%q: got %+v, want the fields as in the line", line, e)
		}
		if got, err := ParseEvent([]byte(again)); err != nil || got != e {
			t.Errorf("%q as %q: got %+v, %v, want %+v", line, again, got, err, e)
		}
	})
}
