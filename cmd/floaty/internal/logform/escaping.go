package logform

import (
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"floaty/cmd/floaty/internal/printable"
)

// An escapingEncoder escapes everything in a log line that is not printable. The JSON encoder of zap escapes only
// what JSON requires.
type escapingEncoder struct{ zapcore.Encoder }

// Clone implements [zapcore.Encoder].
func (e escapingEncoder) Clone() zapcore.Encoder { return escapingEncoder{e.Encoder.Clone()} }

// EncodeEntry implements [zapcore.Encoder].
func (e escapingEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
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
