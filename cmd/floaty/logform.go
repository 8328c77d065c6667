package main

import (
	"bytes"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"floaty/cmd/floaty/internal/textlog"
	"floaty/providers/logkey"
)

// A logForm is the format of log lines.
type logForm struct {
	json    bool         // JSON objects instead of text
	journal bool         // standard error is systemd's journal
	verbose bool         // also messages of logr's levels above 0, and servers by ID
	names   *serverNames // for the servers in text lines
}

// logger returns a logger that writes to w.
func (f logForm) logger(w zapcore.WriteSyncer) logr.Logger {
	level := zapcore.InfoLevel
	if f.verbose {
		level = zapcore.DebugLevel
	}
	return zapr.NewLoggerWithOptions(zap.New(f.core(w, level)), zapr.ErrorKey(logkey.Err))
}

func (f logForm) core(w zapcore.WriteSyncer, level zapcore.Level) zapcore.Core {
	if f.json {
		form := zap.NewProductionEncoderConfig()
		form.EncodeTime = zapcore.TimeEncoderOfLayout(textlog.TimeLayout)
		form.EncodeDuration = zapcore.StringDurationEncoder
		form.EncodeLevel = zapcore.CapitalLevelEncoder
		form.TimeKey = "time"
		return zapcore.NewCore(escapingEncoder{zapcore.NewJSONEncoder(form)}, w, level)
	}
	opts := textlog.Options{LevelEnabler: level, Writer: w, Journal: f.journal}
	if !f.verbose {
		opts.Names = f.names.show
	}
	return textlog.New(opts)
}

// droppedLine returns a line that tells how many others were lost.
func (f logForm) droppedLine(n int) []byte {
	var line bytes.Buffer
	f.logger(zapcore.AddSync(&line)).Error(nil, "log lines were dropped: nobody read them in time", logkey.Lines, n)
	return line.Bytes()
}
