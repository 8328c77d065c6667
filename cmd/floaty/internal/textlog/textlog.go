// Package textlog writes log entries as lines of text: "TIME LEVEL message key=value …".
//
// Values are quoted, as in logfmt, if they are empty or contain white space, a quote, an equals sign or anything not
// printable. Under systemd the journal records the time: a line then starts with a priority (<3> error, <6> info, <7>
// debug) instead. The package does not decide what is logged, and does not write JSON.
package textlog

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"go.uber.org/zap/zapcore"

	"floaty/cmd/floaty/internal/printable"
)

// TimeLayout is the format of times: RFC 3339 with milliseconds.
const TimeLayout = "2006-01-02T15:04:05.000Z07:00"

// Options configure the core. Only Names and Journal are optional.
type Options struct {
	zapcore.LevelEnabler
	Writer  zapcore.WriteSyncer
	Journal bool                                   // the writer is systemd's journal
	Names   func(key, value string) (shown string) // returns the text to show for a value; nil: the value itself
}

// A core writes entries. It implements [zapcore.Core].
type core struct {
	Options
	fields []zapcore.Field // of every line
}

// New returns a core for zap.
func New(opts Options) zapcore.Core { return &core{Options: opts} }

// With implements [zapcore.Core].
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{Options: c.Options, fields: append(slices.Clip(c.fields), fields...)}
}

// Check implements [zapcore.Core].
func (c *core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements [zapcore.Core].
func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	_, err := c.Writer.Write(c.line(entry, fields))
	return err
}

// Sync implements [zapcore.Core].
func (c *core) Sync() error { return c.Writer.Sync() }

// line returns an entry as a line, with its newline.
func (c *core) line(entry zapcore.Entry, fields []zapcore.Field) []byte {
	line := make([]byte, 0, 256)
	if c.Journal {
		line = append(line, priority(entry.Level)...)
	} else {
		line = append(entry.Time.AppendFormat(line, TimeLayout), ' ')
	}
	line = append(line, entry.Level.CapitalString()...)
	line = append(line, ' ')
	line = append(line, printable.Text(entry.Message)...)
	values := zapcore.NewMapObjectEncoder()
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, field := range list {
			line = c.appendField(line, field, values)
		}
	}
	return append(line, '\n')
}

// appendField appends a field. It uses values to get at the field's value.
func (c *core) appendField(line []byte, field zapcore.Field, values *zapcore.MapObjectEncoder) []byte {
	delete(values.Fields, field.Key) // another field may have had the same key
	field.AddTo(values)
	value, ok := values.Fields[field.Key]
	if !ok { // an error that is nil
		return line
	}
	shown := text(value)
	if c.Names != nil {
		shown = c.Names(field.Key, shown)
	}
	line = append(line, ' ')
	line = append(line, field.Key...)
	line = append(line, '=')
	if quoted(shown) {
		return strconv.AppendQuote(line, shown)
	}
	return append(line, shown...)
}

// text returns the text of a value. Lists are joined with commas.
func text(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case time.Time:
		return value.Format(TimeLayout)
	case []any:
		parts := make([]string, 0, len(value))
		for _, part := range value {
			parts = append(parts, text(part))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(value)
}

// quoted reports whether logfmt requires quotes around a value. Unprintable values are quoted as well and so cannot
// forge a line.
func quoted(value string) bool {
	return value == "" || strings.ContainsAny(value, `"=\`) || strings.ContainsFunc(value, unicode.IsSpace) || printable.Text(value) != value
}

// priority returns the journal's prefix for a level (sd-daemon(3)).
func priority(level zapcore.Level) string {
	switch {
	case level >= zapcore.ErrorLevel:
		return "<3>"
	case level == zapcore.WarnLevel:
		return "<4>"
	case level == zapcore.InfoLevel:
		return "<6>"
	}
	return "<7>"
}

// IsJournal reports whether file is systemd's journal: the environment variable JOURNAL_STREAM then holds its device and inode
// (systemd.exec(5)). It is not enough that the variable is set: a process that redirects its output inherits it too.
func IsJournal(file *os.File) bool {
	info, err := file.Stat()
	if err != nil {
		return false
	}
	return os.Getenv("JOURNAL_STREAM") == streamID(info)
}

func streamID(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "unknown"
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
