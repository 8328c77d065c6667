package conf

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// definition parses $NAME=VALUE.
func definition(text string) (name, value string, ok bool) {
	text, dollar := strings.CutPrefix(text, "$")
	name, value, ok = strings.Cut(text, "=")
	if !dollar || !ok || !isName(name) {
		return "", "", false
	}
	return name, value, true
}

// define stores a definition. Its value is expanded only when it is used. A line that ends in \ continues on the next one.
func (r *reader) define(p piece, name, value string) error {
	var lines []string
	for more := true; more; {
		value, more = strings.CutSuffix(value, `\`)
		if p.hidden { // Keepalived 2.2 removes the comment, 2.4 ends the definition
			return p.problem(`a \ at the end of a comment is not supported in a definition`)
		}
		if value = trim(value); value != "" {
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

// continued reads the next line of a definition.
func (r *reader) continued(p piece, name string) (piece, error) {
	if len(r.pieces) > 0 {
		return p, p.problem("a definition that continues after a brace or an expansion is not supported")
	}
	next, ok, err := r.line()
	switch {
	case err != nil:
		return p, err
	case !ok || next.file != p.file:
		return p, p.problem(fmt.Sprintf(`the file ends within the definition of $%s: its last line ends in \`, name))
	case next.text == "" && !next.hidden:
		return p, next.problem(fmt.Sprintf("an empty line ends the definition of $%s, although the line before it ends in \\", name))
	}
	return next, nil
}

// soleReference returns the name in a text that is nothing but a reference.
func soleReference(text string) (name string, ok bool) {
	name, n, _ := reference(text)
	return name, name != "" && n == len(text)
}

// expandLines replaces a reference by the lines of its definition.
func (r *reader) expandLines(p piece, lines []string) error {
	if p.depth++; p.depth > maxNest {
		return p.problem("definitions that refer to each other endlessly")
	}
	var pieces []piece
	for _, line := range lines {
		if strings.HasPrefix(line, "~") { // Keepalived 2.2 repeats it, 2.4 rejects it
			return p.problem("a definition that contains a repetition is not supported: write ~SEQ or ~LST on the line itself")
		}
		next := p.with(line)
		next.expanded = true
		pieces = append(pieces, next)
	}
	r.putBack(pieces...)
	return nil
}

// reference parses $NAME or ${NAME} at the start of text, and returns the name and the length of the whole. $NAME must be followed by a
// blank, a comma, a closing parenthesis or the end of the line; otherwise it is not a reference.
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
	if !isName(text[1:n]) {
		return "", 0, false
	}
	return text[1:n], n, false
}

// isName reports whether a text can be the name of a definition.
func isName(text string) bool {
	if text == "" || text[0] >= '0' && text[0] <= '9' {
		return false
	}
	for i := range len(text) {
		if !isNameByte(text[i]) {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// expand replaces the references in text, which is part of p. An undefined one stays as it is, as with Keepalived, unless its braces
// would be taken for those of a block.
func (r *reader) expand(p piece, text string, depth int) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	if depth > maxNest {
		return "", p.problem("definitions that refer to each other endlessly")
	}
	var out strings.Builder
	quoted := false
	for i := 0; i < len(text); {
		if text[i] == '"' {
			quoted = !quoted
		}
		name, n, braced := reference(text[i:])
		if !quoted && (name == "_HASH" || name == "_BANG") { // it begins a comment (seen on 2.2.7)
			if depth > 0 || p.expanded {
				return "", p.problem(fmt.Sprintf("$%s within a definition or a repetition is not supported", name))
			}
			break
		}
		if name == "" {
			out.WriteByte(text[i])
			i++
			continue
		}
		if err := r.count(p); err != nil {
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
			return "", p.problem("with its definitions expanded, the line is longer than 1023 bytes: Keepalived would drop the rest")
		}
	}
	return out.String(), nil
}

// value returns the value of a reference. bare tells whether the reference has braces and is outside quotes.
func (r *reader) value(p piece, name, ref string, bare bool) (string, error) {
	lines, known := r.defs[name]
	switch {
	case len(lines) > 1:
		return "", p.problem(fmt.Sprintf("$%s has several lines: this is supported only if it is alone on its line", name))
	case known:
		return lines[0], nil
	case name == "_PWD":
		return filepath.Dir(p.file), nil
	case name == "_INSTANCE":
		r.conditions = true
		if r.guessed {
			r.warn(p, fmt.Sprintf("%s is assumed to be the host name, %s: if Keepalived runs with -i, set keepalived-config-id", ref, r.id))
		}
		return r.id, nil
	case name == "_HASH":
		return "#", nil
	case name == "_BANG":
		return "!", nil
	case bare && strings.HasPrefix(name, "_"): // another built-in definition, such as ${_RANDOM}: it does not begin a block, and its value is not known
		return "$" + name, nil
	case bare:
		return "", p.problem(fmt.Sprintf("%s is not defined", ref))
	}
	return ref, nil
}

// repeat carries out ~SEQ and ~LST: it repeats the rest of the line for each value.
func (r *reader) repeat(p piece) error {
	form, _ := cutWord(p.text)
	kind, spec, line, ok := repetition(p.text)
	if !ok {
		return p.problem(fmt.Sprintf("%s is not supported: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…), then a line", form))
	}
	args, err := r.arguments(p, kind, spec)
	if err != nil {
		return err
	}
	spec = strings.Join(args, ",")
	values := args[1:]
	if kind == "SEQ" {
		values = sequence(values)
	}
	if !isName(args[0]) || len(values) == 0 {
		return p.problem(fmt.Sprintf("~%s(%s) is malformed: want ~SEQ(NAME,[START,[STEP,]]END) or ~LST(NAME,VALUE,…)", kind, spec))
	}
	var pieces []piece
	for _, value := range values {
		next := p.with(line)
		next.name, next.value, next.expanded = args[0], value, true
		pieces = append(pieces, next)
	}
	r.putBack(pieces...)
	return nil
}

// repetition parses ~SEQ(…) or ~LST(…), and the line that follows it.
func repetition(text string) (kind, spec, line string, ok bool) {
	for _, kind := range []string{"SEQ", "LST"} {
		if rest, ok := strings.CutPrefix(text, "~"+kind); ok {
			rest, opened := strings.CutPrefix(trim(rest), "(")
			spec, line, closed := strings.Cut(rest, ")")
			return kind, spec, trim(line), opened && closed
		}
	}
	return "", "", "", false
}

// arguments returns the arguments of ~SEQ or ~LST, from the text in parentheses. A definition may hold several arguments of ~SEQ, but only
// one value of ~LST, and never the name (seen on 2.2.7).
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
		arg, err := r.expand(p, trim(arg), 0)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if some && form == "SEQ" {
		args = append(args[:1], strings.Split(args[1], ",")...)
	}
	if all := strings.Join(args, ","); strings.ContainsAny(all, `{}()"$`) {
		return nil, p.problem(fmt.Sprintf("~%s(%s) is not supported: want values without braces, parentheses, quotes and $", form, all))
	}
	for i := range args {
		args[i] = trim(args[i])
	}
	return args, nil
}

// isNumber reports whether a number that ParseInt accepts is a decimal or hexadecimal one that Keepalived accepts too. (ParseInt takes
// "010" for 8.)
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	hexadecimal := strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0X")
	return (digits == "0" || hexadecimal || !strings.HasPrefix(digits, "0")) && !strings.ContainsAny(digits, "+_")
}

// sequence returns the values of a ~SEQ with the arguments END, or START,END, or START,STEP,END. It returns nil if they are malformed.
func sequence(args []string) []string {
	var n []int64
	for _, arg := range args {
		i, err := strconv.ParseInt(arg, 0, 32)
		if err != nil || !isNumber(arg) {
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
