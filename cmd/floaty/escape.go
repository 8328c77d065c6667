package main

import (
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"floaty/cmd/floaty/internal/printable"
)

// An escaping encoder lets nothing into a log line that does not print: zap's own escapes only what JSON must not have.
type escaping struct{ zapcore.Encoder }

// Clone implements [zapcore.Encoder].
func (e escaping) Clone() zapcore.Encoder { return escaping{e.Encoder.Clone()} }

// EncodeEntry implements [zapcore.Encoder].
func (e escaping) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	if safe := printable.Encoded(line.Bytes()); len(safe) != line.Len() {
		line.Reset()
		_, _ = line.Write(safe) // never fails
	}
	return line, nil
}
