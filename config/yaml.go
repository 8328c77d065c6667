package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"unicode/utf8"

	"sigs.k8s.io/yaml/goyaml.v2"
)

// A mapping is what YAML calls one, in the order of the file, with the keys as YAML reads them. The main package of
// sigs.k8s.io/yaml goes through JSON instead, where an instance called NO is called "false" without a word, a key given
// twice has no path, and an alias is copied: 1 MiB of "*a" that name a long text become many gigabytes.
type mapping = yaml.MapSlice

var (
	errEmpty     = errors.New("empty: nothing is configured")
	errNotUTF8   = errors.New("not UTF-8 text")
	errMapping   = errors.New("not a list of keys and values such as provider: cloudscale")
	errDocuments = errors.New("several YAML documents (a line ---): only one is read, so keep one")
)

// decodeYAML returns the only document of data. Its errors are of one line and never show any of data, for what is
// broken may stand next to a secret, or be one.
func decodeYAML(data []byte) (mapping, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte order mark; a key behind it starts the line all the same
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

// decodeOne does without merge keys: what they bring in is missing.
func decodeOne(data []byte) (mapping, error) {
	var top document
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	switch err := decoder.Decode(&top); {
	case errors.Is(err, io.EOF):
		return nil, errEmpty
	case errors.Is(err, errMapping):
		return nil, errMapping
	case err != nil:
		return nil, plainYAMLError(err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errDocuments
	}
	return top.root, nil
}

// A document is one that holds a mapping.
type document struct{ root mapping }

// UnmarshalYAML refuses all but a mapping. The library would take a list of {key: …, value: …} for one.
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

// harmless are the messages of the YAML library that hold no words of the file. Those that do have them in quotes or
// backquotes: the name of an alias (a token may well start with *), the value of a tag (or with !).
var harmless = regexp.MustCompile(`^yaml: (line \d+: )?([a-zA-Z0-9 ,.<>%:;-]+)$`)

func plainYAMLError(err error) error {
	if m := harmless.FindStringSubmatch(err.Error()); m != nil {
		return errors.New("not YAML: " + m[1] + m[2])
	}
	return errors.New("not YAML: an alias (*), an anchor (&) or a tag (!) that does not hold; " +
		"a value that starts with one of these must be in quotes")
}
