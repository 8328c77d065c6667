package keepalived

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// A collector is lines, and collects every complete line.
type collector struct {
	lines
	got []string
}

func (c *collector) add(data string) {
	c.lines.add([]byte(data), func(l line) { c.got = append(c.got, string(l.text)) })
}

func TestALineIsCompleteWithItsNewline(t *testing.T) {
	t.Parallel()
	var c collector
	for _, piece := range []string{"on", "", "e\ntwo\n\nthr", "ee", "\n", "four"} {
		c.add(piece)
	}
	if want := []string{"one", "two", "", "three"}; !slices.Equal(c.got, want) {
		t.Errorf("got %q, want %q", c.got, want)
	}
}

func TestALineThatIsTooLongDoesNotAffectTheNext(t *testing.T) {
	t.Parallel()
	var c collector
	c.add(strings.Repeat("x", maxLine) + "\n")
	c.add(strings.Repeat("x", 10*maxLine))
	c.add(strings.Repeat("x", 10*maxLine) + "\nnext\n")
	if want := []int{maxLine, maxLine + 1, 4}; len(c.got) != 3 || len(c.got[0]) != want[0] || len(c.got[1]) != want[1] || c.got[2] != "next" {
		t.Errorf("got lines of %d bytes, want %d", lengths(c.got), want)
	}
}

func TestALineRecordsHowMuchOfItAnEarlierWriterWrote(t *testing.T) {
	t.Parallel()
	var l lines
	var got []string
	add := func(data string) {
		l.add([]byte(data), func(l line) { got = append(got, string(l.text[:l.cut])+"|"+string(l.text[l.cut:])) })
	}
	add("whole\nha")
	l.writerGone()
	add("lf\nnext\n")
	l.writerGone()
	add("later\n")
	if want := []string{"|whole", "ha|lf", "|next", "|later"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzLines compares the lines of data added in one piece with those of the same data added in several pieces. cuts has the lengths of
// the pieces: a zero means that the writer closes the FIFO, and a byte above 127 stands for a long piece.
func FuzzLines(f *testing.F) {
	long := strings.Repeat("x", maxLine)
	f.Add([]byte("one\ntwo\n\nthree"), []byte{1, 4, 1})
	f.Add([]byte("one\ntwo\n"), []byte{2, 0, 3, 0, 0})
	f.Add([]byte(long+"\n"+long+"y\nnext\n"), []byte{255, 255, 0, 255})
	f.Add([]byte(strings.Repeat(long, 8)), []byte{255, 0, 255, 0, 255, 0, 255, 0})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		var want collector
		want.add(string(data))

		var got collector
		var torn lines
		tail, next := "", 0
		for rest := data; len(rest) > 0; {
			size := len(rest)
			if next < len(cuts) {
				size = int(cuts[next])
				if size > 127 {
					size = (size - 127) * 64
				}
				size = min(size, len(rest))
				next++
			}
			if size == 0 {
				torn.writerGone()
			}
			got.add(string(rest[:size]))
			torn.add(rest[:size], func(l line) { tail = string(l.text[l.cut:]) })
			rest = rest[size:]
			for _, l := range []lines{got.lines, torn} {
				if len(l.part) > 2*(maxLine+1) || cap(l.part) > 8*maxLine {
					t.Fatalf("got %d bytes kept in a buffer of %d, want at most two lines", len(l.part), cap(l.part))
				}
			}
		}
		if !slices.Equal(got.got, want.got) || !bytes.Equal(got.part, want.part) {
			t.Errorf("cut as %v: got %q and %q left, want %q and %q", cuts, got.got, got.part, want.got, want.part)
		}
		// Whatever earlier writers left behind, the line of a later writer is complete.
		torn.writerGone()
		torn.add([]byte("last\n"), func(l line) { tail = string(l.text[l.cut:]) })
		if tail != "last" {
			t.Errorf("after %q cut as %v: got the line %q, want %q", data, cuts, tail, "last")
		}
	})
}

func lengths(lines []string) []int {
	var all []int
	for _, l := range lines {
		all = append(all, len(l))
	}
	return all
}
