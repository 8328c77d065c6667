// Package logform builds the logger: lines of text, fit for the journal, or JSON, with nothing unprintable in them.
//
// It decides nothing about what is logged.
package logform

import (
	"bytes"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"floaty/cmd/floaty/internal/textlog"
	"floaty/providers/logkey"
)

// A Form is the format of log lines.
type Form struct {
	JSON    bool                           // JSON objects instead of text
	Journal bool                           // standard error is systemd's journal
	Verbose bool                           // also messages of logr's levels above 0, and servers by ID
	Names   func(key, value string) string // returns the text to show for a value in text lines; nil: the value
}

// Logger returns a logger that writes to w.
func (f Form) Logger(w zapcore.WriteSyncer) logr.Logger {
	level := zapcore.InfoLevel
	if f.Verbose {
		level = zapcore.DebugLevel
	}
	return zapr.NewLoggerWithOptions(zap.New(f.core(w, level)), zapr.ErrorKey(logkey.Err))
}

func (f Form) core(w zapcore.WriteSyncer, level zapcore.Level) zapcore.Core {
	if f.JSON {
		form := zap.NewProductionEncoderConfig()
		form.EncodeTime = zapcore.TimeEncoderOfLayout(textlog.TimeLayout)
		form.EncodeDuration = zapcore.StringDurationEncoder
		form.EncodeLevel = zapcore.CapitalLevelEncoder
		form.TimeKey = "time"
		return zapcore.NewCore(escapingEncoder{zapcore.NewJSONEncoder(form)}, w, level)
	}
	opts := textlog.Options{LevelEnabler: level, Writer: w, Journal: f.Journal}
	if !f.Verbose {
		opts.Names = f.Names
	}
	return textlog.New(opts)
}

// DroppedLine returns a line that tells how many others were lost.
func (f Form) DroppedLine(n int) []byte {
	var line bytes.Buffer
	f.Logger(zapcore.AddSync(&line)).Error(nil, "log lines were dropped: nobody read them in time", logkey.Lines, n)
	return line.Bytes()
}
