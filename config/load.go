package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The bounds of the configuration file and of a secret file. Ten thousand addresses take 200 kB.
const (
	maxFileBytes   = 1 << 20
	maxSecretBytes = 16 << 10
)

// Load reads the configuration file at path and the secret files that it names. The error is always [Problems] and
// lists everything that is wrong, except what follows a YAML syntax error.
func Load(path string) (*Config, error) {
	if path == "" { // filepath.Abs would return the working directory
		return nil, Problems{{Text: "the path of the configuration file is empty"}}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, Problems{{File: path, Text: fmt.Sprintf("cannot find its directory: %v", err)}}
	}
	data, err := readFile(absolute, maxFileBytes)
	if err != nil {
		return nil, Problems{{File: absolute, Text: err.Error()}}
	}
	return parse(absolute, data)
}

// parse returns the configuration in data. The path of its file is absolute.
func parse(path string, data []byte) (*Config, error) {
	root, err := decodeYAML(data)
	if err != nil {
		return nil, Problems{{File: path, Text: err.Error()}}
	}
	c, problems := decodeConfig(path, root)
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// decodeConfig returns the configuration in root, as far as it is usable, with defaults for the rest. The path of its
// file is absolute.
func decodeConfig(path string, root mapping) (*Config, Problems) {
	l := &loader{path: path}
	c := &Config{Path: path}
	s := l.newSection("", root)
	s.decode(c.keys())
	if !s.has("refresh-timeout") { // by default, a read ends before the next one is due
		c.RefreshTimeout = min(c.RefreshTimeout, c.RefreshInterval)
	}
	if !s.has("provider") {
		s.problem("provider", "missing: want %s", strings.Join(c.providerNames(), " or "))
	}
	return c, l.problems
}

// LoadLock returns the lock settings in a file that [Load] may reject, with defaults for what is not usable: a
// process that must stop the current holder needs them even if the file has a mistake elsewhere.
func LoadLock(path string) Lock { return loadUsable(path).Lock }

// LoadState returns the absolute path of a configuration file and its state-dir, even if [Load] rejects the file: a
// daemon that still runs with an earlier version of it is found there.
func LoadState(path string) (absolute, stateDir string) {
	c := loadUsable(path)
	return c.Path, c.StateDir
}

// loadUsable returns what is usable in a file, and defaults for the rest.
func loadUsable(path string) *Config {
	var root mapping // empty if the file cannot be read
	absolute, err := filepath.Abs(path)
	if err == nil {
		if data, err := readFile(absolute, maxFileBytes); err == nil {
			root, _ = decodeYAML(data)
		}
	}
	c, _ := decodeConfig(absolute, root)
	return c
}

// readFile reads a regular file of at most limit bytes. Anything else is rejected before it is opened: opening the
// FIFO, given by mistake in place of the configuration, would block without a writer, or take lines of Keepalived
// away from the listener.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", stripPath(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("reading: not a regular file")
	}
	f, err := os.Open(path) //nolint:gosec // the operator chose the path
	if err != nil {
		return nil, fmt.Errorf("reading: %w", stripPath(err))
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading: %w", stripPath(err))
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading: larger than %d kB", limit>>10)
	}
	return data, nil
}

// stripPath strips the operation and path from err, because a problem already names the file.
func stripPath(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
