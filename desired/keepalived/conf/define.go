package conf

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	defining  = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)
	repeating = regexp.MustCompile(`^~(SEQ|LST)\s*\(([^)]*)\)\s*(.*)$`)
	named     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	number    = regexp.MustCompile(`^-?(0|[1-9][0-9]*|0[xX][0-9A-Fa-f]+)$`) // "010" would be 8
)

// definition takes $NAME=VALUE apart.
func definition(text string) (name, value string, ok bool) {
	m := defining.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// define keeps a definition. Its value is expanded when it is used, not now; lines that end in \ go on.
func (r *reader) define(p piece, name, value string) error {
	var lines []string
	for more := true; more; {
		value, more = strings.CutSuffix(value, `\`)
		if p.hidden { // 2.2 leaves the comment out, 2.4 ends the definition
			return p.problem(`a \ at the end of a comment is not supported in a definition`)
		}
		if value = trimmed(value); value != "" {
			lines = append(lines, value)
		}
		if more {
			next, err := r.continued(p, name)
			if err != nil {
				return err
			}
			p, value = next, next.text
		}
	}
	if lines == nil {
		lines = []string{""}
	}
	r.defs[name] = lines
	return nil
}

// continued takes the next line of a definition.
func (r *reader) continued(p piece, name string) (piece, error) {
	if len(r.pieces) > 0 {
		return p, p.problem("a definition that goes on behind a brace or an expansion is not supported")
	}
	next, ok, err := r.line()
	switch {
	case err != nil:
		return p, err
	case !ok || next.file != p.file:
		return p, p.problem(fmt.Sprintf(`the file ends within the definition of $%s: its last line ends in \`, name))
	case next.text == "" && !next.hidden:
		return p, next.problem(fmt.Sprintf("an empty line ends the definition of $%s, though the line before it ends in \\", name))
	}
	return next, nil
}

// alone returns the name in a text that is nothing but a reference.
func alone(text string) (name string, ok bool) {
	name, n, _ := reference(text)
	return name, name != "" && n == len(text)
}

// spread puts the lines of a definition in place of a reference to it.
func (r *reader) spread(p piece, lines []string) error {
	if p.depth++; p.depth > maxNest {
		return p.problem("definitions that stand for each other without end")
	}
	var pieces []piece
	for _, line := range lines {
		if strings.HasPrefix(line, "~") { // 2.2 repeats it, to 2.4 it is invalid
			return p.problem("a definition that stands for a repetition is not supported: write ~SEQ or ~LST on the line")
		}
		next := p.with(line)
		next.made = true
		pieces = append(pieces, next)
	}
	r.put(pieces...)
	return nil
}

// reference reads $NAME or ${NAME} at the start of text: the name, and the length of it all. The former ends only before a
// blank, a comma, a closing parenthesis or the end of the line, else it is none.
func reference(text string) (name string, length int, braced bool) {
	if len(text) < 2 || text[0] != '$' {
		return "", 0, false
	}
	if text[1] == '{' {
		name, _, closed := strings.Cut(text[2:], "}")
		if !closed {
			return "", 0, false
		}
		return name, len(name) + 3, true
	}
	n := 1
	for n < len(text) && isNameByte(text[n]) {
		n++
	}
	if n < len(text) && !strings.ContainsRune(" \t\r\v\f,)", rune(text[n])) {
		return "", 0, false
	}
	if !named.MatchString(text[1:n]) {
		return "", 0, false
	}
	return text[1:n], n, false
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// expand replaces the references in text, which is a part of p. One that is not known stays as it is, as it does for
// Keepalived, unless its braces would be taken for those of a block.
func (r *reader) expand(p piece, text string, depth int) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	if depth > maxNest {
		return "", p.problem("definitions that stand for each other without end")
	}
	var out strings.Builder
	quoted := false
	for i := 0; i < len(text); {
		if text[i] == '"' {
			quoted = !quoted
		}
		name, n, braced := reference(text[i:])
		if !quoted && (name == "_HASH" || name == "_BANG") { // it begins a comment (seen on 2.2.7)
			if depth > 0 || p.made {
				return "", p.problem(fmt.Sprintf("$%s within a definition or a repetition is not supported", name))
			}
			break
		}
		if name == "" {
			out.WriteByte(text[i])
			i++
			continue
		}
		if err := r.spend(p); err != nil {
			return "", err
		}
		value, err := r.value(p, name, text[i:i+n], braced && !quoted)
		if err != nil {
			return "", err
		}
		if value != text[i:i+n] {
			if value, err = r.expand(p, value, depth+1); err != nil {
				return "", err
			}
		}
		out.WriteString(value)
		i += n
		if out.Len() > maxLine {
			return "", p.problem("with its definitions the line is longer than 1023 bytes: Keepalived would leave some out")
		}
	}
	return out.String(), nil
}

// value returns what stands for a reference. bare is whether its braces stand outside quotes.
func (r *reader) value(p piece, name, ref string, bare bool) (string, error) {
	lines, known := r.defs[name]
	switch {
	case len(lines) > 1:
		return "", p.problem(fmt.Sprintf("$%s stands for several lines: it is supported only alone on its line", name))
	case known:
		return lines[0], nil
	case name == "_PWD":
		return filepath.Dir(p.file), nil
	case name == "_INSTANCE":
		r.conditions = true
		if r.guessed {
			r.warn(p, fmt.Sprintf("%s is taken to be the host name, %s: where Keepalived runs with -i, set keepalived-config-id", ref, r.id))
		}
		return r.id, nil
	case name == "_HASH":
		return "#", nil
	case name == "_BANG":
		return "!", nil
	case bare && strings.HasPrefix(name, "_"): // another one of Keepalived's own, such as ${_RANDOM}: no block, and its value is not known
		return "$" + name, nil
	case bare:
		return "", p.problem(fmt.Sprintf("definition %s is not known", ref))
	}
	return ref, nil
}

// repeat obeys ~SEQ and ~LST: the rest of the line once for each value.
func (r *reader) repeat(p piece) error {
	form, _ := cutBlank(p.text)
	m := repeating.FindStringSubmatch(p.text)
	if m == nil {
		return p.problem(fmt.Sprintf("%s is not supported: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…), then a line", form))
	}
	args, err := r.arguments(p, m[1], m[2])
	if err != nil {
		return err
	}
	spec := strings.Join(args, ",")
	values := args[1:]
	if m[1] == "SEQ" {
		values = sequence(values)
	}
	if !named.MatchString(args[0]) || len(values) == 0 {
		return p.problem(fmt.Sprintf("~%s(%s) cannot be read: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)", m[1], spec))
	}
	var pieces []piece
	for _, value := range values {
		next := p.with(m[3])
		next.name, next.value, next.made = args[0], value, true
		pieces = append(pieces, next)
	}
	r.put(pieces...)
	return nil
}

// arguments returns what stands between the parentheses of ~SEQ or ~LST. A definition may stand for several arguments of ~SEQ, but
// for a single value of ~LST, and for no name (seen on 2.2.7).
func (r *reader) arguments(p piece, form, spec string) ([]string, error) {
	name, list, some := strings.Cut(spec, ",")
	var raw []string
	switch {
	case some && form == "LST":
		raw = strings.Split(list, ",")
	case some:
		raw = []string{list}
	}
	args := []string{name}
	for _, arg := range raw {
		arg, err := r.expand(p, trimmed(arg), 0)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if some && form == "SEQ" {
		args = append(args[:1], strings.Split(args[1], ",")...)
	}
	if all := strings.Join(args, ","); strings.ContainsAny(all, `{}()"$`) {
		return nil, p.problem(fmt.Sprintf("~%s(%s) is not supported: want plain values", form, all))
	}
	for i := range args {
		args[i] = trimmed(args[i])
	}
	return args, nil
}

// sequence returns the values of ~SEQ's END, START,END or START,STEP,END; none if they cannot be read.
func sequence(args []string) []string {
	var n []int64
	for _, arg := range args {
		i, err := strconv.ParseInt(arg, 0, 32)
		if err != nil || !number.MatchString(arg) {
			return nil
		}
		n = append(n, i)
	}
	start, step, last := int64(1), int64(1), int64(0)
	switch len(n) {
	case 1:
		last = n[0]
	case 2:
		start, last = n[0], n[1]
	case 3:
		start, step, last = n[0], n[1], n[2]
	default:
		return nil
	}
	if len(n) < 3 && last < start {
		step = -1
	}
	if step == 0 || (last-start)/step < 0 || (last-start)/step > maxTotal {
		return nil
	}
	var values []string
	for i := start; step > 0 && i <= last || step < 0 && i >= last; i += step {
		values = append(values, strconv.FormatInt(i, 10))
	}
	return values
}
