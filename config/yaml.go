package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml/goyaml.v2"
)

// A mapping is a YAML mapping in the order of the file, with its keys as YAML decodes them. The main package of
// sigs.k8s.io/yaml converts to JSON instead: there, an instance called NO silently becomes "false", a duplicate key
// is reported without its path, and aliases are copied, so that 1 MiB of "*a" naming a long text becomes many
// gigabytes.
type mapping = yaml.MapSlice

var (
	errEmpty     = errors.New("empty: no configuration in it")
	errNotUTF8   = errors.New("not UTF-8 text")
	errMapping   = errors.New("want keys and values such as refresh-interval: 1m")
	errDocuments = errors.New("more than one YAML document (separated by ---): keep only one")
)

// decodeYAML returns the only document in data. Its errors have one line and never contain any of data, because the
// broken part may be next to a secret, or be one.
func decodeYAML(data []byte) (mapping, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // the byte order mark, so that a merge key may be at the start of the first line
	root, err := decodeOne(data)
	if err != nil {
		return nil, err
	}
	if root, err = mergeKeys(data, root); err != nil {
		return nil, err
	}
	if len(root) == 0 {
		return nil, errEmpty
	}
	return root, nil
}

// decodeOne decodes without support for merge keys: the keys that they add are missing.
func decodeOne(data []byte) (mapping, error) {
	var top document
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	switch err := decoder.Decode(&top); {
	case errors.Is(err, io.EOF):
		return nil, errEmpty
	case errors.Is(err, errMapping):
		return nil, errMapping
	case err != nil:
		return nil, safeYAMLError(err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errDocuments
	}
	return top.root, nil
}

// A document is one YAML document, whose root is a mapping.
type document struct{ root mapping }

// UnmarshalYAML rejects everything but a mapping. The library would accept a list of {key: …, value: …} as one.
func (d *document) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(new([]any)) == nil {
		return errMapping
	}
	err := unmarshal(&d.root)
	if errors.As(err, new(*yaml.TypeError)) {
		return errMapping
	}
	return err
}

// safeMessage matches the messages of the YAML library that contain nothing from the file. Others contain, in quotes
// or backquotes, the name of an alias (a token may start with *) or the value of a tag (or with !).
var safeMessage = regexp.MustCompile(`^yaml: (line \d+: )?([a-zA-Z0-9 ,.<>%:;-]+)$`)

// safeYAMLError returns err without anything from the file.
func safeYAMLError(err error) error {
	if strings.Contains(err.Error(), "map merge requires") {
		return errMergeValue
	}
	if m := safeMessage.FindStringSubmatch(err.Error()); m != nil {
		return errors.New("not YAML: " + m[1] + m[2])
	}
	return errors.New("not YAML: invalid alias (*), anchor (&) or tag (!); " +
		"a value that starts with one of these must be in quotes")
}
