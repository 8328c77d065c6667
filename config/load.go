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

// maxFileBytes bounds the configuration file and maxSecretBytes a secret file. Ten thousand addresses take 200 kB.
const (
	maxFileBytes   = 1 << 20
	maxSecretBytes = 16 << 10
)

// Load reads the configuration file at path and the secret files that it names. The error is always [Problems]: all that
// is wrong at once, but what stands behind broken YAML.
func Load(path string) (*Config, error) {
	if path == "" { // it would stand for the working directory
		return nil, Problems{{Text: "the path of the configuration file is empty"}}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, Problems{{File: path, Text: fmt.Sprintf("finding its directory: %v", err)}}
	}
	data, err := readFile(absolute, maxFileBytes)
	if err != nil {
		return nil, Problems{{File: absolute, Text: err.Error()}}
	}
	return parse(absolute, data)
}

// parse makes a configuration of the data of the file at path, which is absolute.
func parse(path string, data []byte) (*Config, error) {
	root, err := decodeYAML(data)
	if err != nil {
		return nil, Problems{{File: path, Text: err.Error()}}
	}
	c, problems := read(path, root)
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// read makes a configuration of what the file at path holds, as far as it is usable, and of the defaults.
func read(path string, root mapping) (*Config, Problems) {
	l := &loader{path: path}
	c := &Config{Path: path}
	s := l.newSection("", root)
	s.takeAll(c.keys())
	if !s.has("refresh-timeout") { // a read has ended before the next one is due
		c.RefreshTimeout = min(c.RefreshTimeout, c.RefreshInterval)
	}
	if !s.has("provider") {
		s.problem("provider", "missing: give the cloud, %s", strings.Join(c.names(), " or "))
	}
	return c, l.problems
}

// LoadLock returns what a file that [Load] refuses says about the lock, as far as it can be told, and the defaults for the
// rest: a process that must end the holder has to find it also when the file has a mistake in it.
func LoadLock(path string) Lock { return loadSome(path).Lock }

// LoadState returns the same of a file's own path, made absolute, and of state-dir: a daemon that works with an earlier version of the
// file is found there.
func LoadState(path string) (absolute, stateDir string) {
	c := loadSome(path)
	return c.Path, c.StateDir
}

// loadSome returns a configuration of what is usable in a file.
func loadSome(path string) *Config {
	var root mapping // stays empty if the file cannot be read
	absolute, err := filepath.Abs(path)
	if err == nil {
		if data, err := readFile(absolute, maxFileBytes); err == nil {
			root, _ = decodeYAML(data)
		}
	}
	c, _ := read(absolute, root)
	return c
}

// readFile reads a regular file of at most limit bytes. Anything else is refused before it is opened: the FIFO, given in
// the place of the configuration, would hang for want of a writer, or take Keepalived's lines away from the listener.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", bare(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("reading: not a regular file")
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("reading: %w", bare(err))
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading: %w", bare(err))
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading: larger than %d kB", limit>>10)
	}
	return data, nil
}

// bare strips the operation and path from err: a problem names the file already.
func bare(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
