package config

import (
	"errors"
	"reflect"
	"regexp"
)

// YAML's merge keys: "<<: *other" adds those keys of other that the mapping does not have itself. The library supports them,
// but drops the merged keys when it preserves the order of keys. Therefore merge keys are renamed before decoding, so that
// the library returns them like any other key, and they are merged here.

// mergeKey matches merge keys: unquoted, where a key may be, with their colon.
var mergeKey = regexp.MustCompile(`(?m)((?:^|[\[{,?-])[ \t]*)<<([ \t]*:)`)

// mergeName replaces the merge key. No other key begins with a NUL, because YAML does not allow an unescaped one.
const mergeName = "\x00<<"

var (
	errMergeValue = errors.New("the value of a merge key (<<) must be keys and values, or a list of them: name an anchor that holds some, such as *common")
	errMergePlace = errors.New("<< is not a merge key here: put the text that contains it in single quotes on its own line")
)

// mergeKeys returns data decoded with merge keys. The argument decoded is data decoded without them.
func mergeKeys(data []byte, decoded mapping) (mapping, error) {
	if !mergeKey.Match(data) {
		return decoded, nil
	}
	renamed, err := decodeOne(mergeKey.ReplaceAll(data, []byte(`${1}"\0<<"${2}`)))
	// The expression cannot tell a key from the same characters in a longer text. Where it was wrong, a value has changed.
	if err != nil || !reflect.DeepEqual(withoutMergeKeys(renamed), withoutMergeKeys(decoded)) {
		return nil, errMergePlace
	}
	all, err := merge(renamed)
	if err != nil {
		return nil, err
	}
	return all.(mapping), nil
}

// withoutMergeKeys returns value without its merge keys, and with empty lists for nil ones, so that values can be
// compared.
func withoutMergeKeys(value any) any {
	switch value := value.(type) {
	case mapping:
		rest := mapping{}
		for _, item := range value {
			if item.Key != mergeName {
				item.Key, item.Value = withoutMergeKeys(item.Key), withoutMergeKeys(item.Value)
				rest = append(rest, item)
			}
		}
		return rest
	case []any:
		rest := make([]any, 0, len(value))
		for _, item := range value {
			rest = append(rest, withoutMergeKeys(item))
		}
		return rest
	}
	return value
}

// merge returns value with its merge keys replaced by the keys that they add. A key of the mapping itself takes
// precedence over a merged one, and an earlier merged one over a later one.
func merge(value any) (any, error) {
	switch value := value.(type) {
	case mapping:
		return mergeMapping(value)
	case []any:
		all := make([]any, 0, len(value))
		for _, item := range value {
			item, err := merge(item)
			if err != nil {
				return nil, err
			}
			all = append(all, item)
		}
		return all, nil
	}
	return value, nil
}

func mergeMapping(own mapping) (any, error) {
	all := mapping{}
	var sources []mapping
	for _, item := range own {
		value, err := merge(item.Value)
		if err != nil {
			return nil, err
		}
		if item.Key != mergeName {
			item.Value = value
			all = append(all, item)
			continue
		}
		more, err := mergeSources(value)
		if err != nil {
			return nil, err
		}
		sources = append(sources, more...)
	}
	has := map[string]bool{}
	for _, item := range all {
		if key, isText := item.Key.(string); isText {
			has[key] = true
		}
	}
	for _, source := range sources {
		for _, item := range source {
			key, isText := item.Key.(string)
			if isText && has[key] {
				continue
			}
			has[key] = isText
			all = append(all, item)
		}
	}
	return all, nil
}

// mergeSources returns the mappings that the value of a merge key names.
func mergeSources(value any) ([]mapping, error) {
	switch value := value.(type) {
	case mapping:
		return []mapping{value}, nil
	case []any:
		sources := make([]mapping, 0, len(value))
		for _, item := range value {
			source, ok := item.(mapping)
			if !ok {
				return nil, errMergeValue
			}
			sources = append(sources, source)
		}
		return sources, nil
	}
	return nil, errMergeValue
}
