package printable

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestUnprintableCharactersAreShownByTheirCode(t *testing.T) {
	for text, want := range map[string]string{ //nolint:gosec // no credential
		"":                              "",
		"VI_1":                          "VI_1",
		`a "b" \x1b c`:                  `a "b" \x1b c`,
		"Zürich → 東京":                   "Zürich → 東京",
		"a\nok   credential":            `"a\nok   credential"`,
		"a\tb":                          `"a\tb"`,
		"a\rb":                          `"a\rb"`,
		"\x1b]0;pwned\a":                `"\x1b]0;pwned\a"`,
		"\x7f":                          `"\x7f"`,
		"\u009b31m":                     `"\u009b31m"`,
		"\u0085":                        `"\u0085"`,
		"\u061c":                        `"\u061c"`,
		"\u200e\u200f":                  `"\u200e\u200f"`,
		"\u2028\u2029":                  `"\u2028\u2029"`,
		"\u202a\u202b\u202c\u202d":      `"\u202a\u202b\u202c\u202d"`,
		"\u202e":                        `"\u202e"`,
		"\u2066\u2067\u2068\u2069":      `"\u2066\u2067\u2068\u2069"`,
		"\ufeff":                        `"\ufeff"`,
		"\xff":                          `"\xff"`,
		"\xc2\x9b" + "\U000e0041" + "x": `"\u009b\U000e0041x"`,
	} {
		if got := Text(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestEncodedKeepsTheFormOfLines(t *testing.T) {
	for lines, want := range map[string]string{
		"":                             "",
		"INFO\tmessage\t{\"a\": 1}\n":  "INFO\tmessage\t{\"a\": 1}\n",
		"{\"a\":\"\u202e\u009b\x7f\"}": `{"a":"\u202e\u009b\u007f"}`,
		"\x1b[31m":                     `\u001b[31m`,
		"\U000e0041":                   `\udb40\udc41`,
		"a\xffb":                       `a\ufffdb`,
		"a\rb":                         `a\u000db`,
	} {
		if got := string(Encoded([]byte(lines))); got != want {
			t.Errorf("%q: got %q, want %q", lines, got, want)
		}
	}
}

// FuzzPrintable checks that Text returns only printable characters, and that Encoded does not change the meaning of JSON.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"", "VI_1", "\x1b[31m\n", "\u202e", "\xff\xfe", "\u009b", "\U000e0041", `\`, `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := Text(text); strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want only printable characters", text, got)
		}
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		safe := Encoded(encoded)
		if err := json.Unmarshal(encoded, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(safe, &after); err != nil || before != after {
			t.Errorf("%q: got %q (%v), want JSON that means %q", text, safe, err, before)
		}
	})
}
