package config

import (
	"errors"
	"reflect"
	"regexp"
)

// YAML's merge keys: "<<: *other" takes the keys of other that the mapping does not have itself. The library knows them, but
// where the order of keys is kept it drops what is merged. So the keys are given another name first, under which the library
// hands them on like any other, and are merged here.

// mergeKey finds the merge keys: plain, where a key may stand, with their colon.
var mergeKey = regexp.MustCompile(`(?m)((?:^|[\[{,?-])[ \t]*)<<([ \t]*:)`)

// mergeName is what a merge key is called for the library. No one else's key begins with a NUL: YAML does not allow one as it is.
const mergeName = "\x00<<"

var (
	errMergeValue = errors.New("a merge key (<<) takes keys and values, or a list of them: name an anchor that holds some, such as *common")
	errMergePlace = errors.New("a << that is no merge key: put what it stands in into single quotes, on a line of its own")
)

// mergeKeys returns what data means with its merge keys, plain being what it means without them.
func mergeKeys(data []byte, plain mapping) (mapping, error) {
	if !mergeKey.Match(data) {
		return plain, nil
	}
	renamed, err := decodeOne(mergeKey.ReplaceAll(data, []byte(`${1}"\0<<"${2}`)))
	// The expression cannot tell a key from the same characters in a longer text. If it was wrong, more has changed than keys.
	if err != nil || !reflect.DeepEqual(unmerged(renamed), unmerged(plain)) {
		return nil, errMergePlace
	}
	all, err := merged(renamed)
	if err != nil {
		return nil, err
	}
	return all.(mapping), nil
}

// unmerged returns value without its merge keys, and without the difference between nothing and an empty list.
func unmerged(value any) any {
	switch value := value.(type) {
	case mapping:
		rest := mapping{}
		for _, item := range value {
			if item.Key != mergeName {
				item.Key, item.Value = unmerged(item.Key), unmerged(item.Value)
				rest = append(rest, item)
			}
		}
		return rest
	case []any:
		rest := make([]any, 0, len(value))
		for _, item := range value {
			rest = append(rest, unmerged(item))
		}
		return rest
	}
	return value
}

// merged returns value with its merge keys replaced by what they bring in. A key of the mapping itself wins over a merged one,
// and of several merged ones the first.
func merged(value any) (any, error) {
	switch value := value.(type) {
	case mapping:
		return mergedMapping(value)
	case []any:
		all := make([]any, 0, len(value))
		for _, item := range value {
			item, err := merged(item)
			if err != nil {
				return nil, err
			}
			all = append(all, item)
		}
		return all, nil
	}
	return value, nil
}

func mergedMapping(own mapping) (any, error) {
	all := mapping{}
	var sources []mapping
	for _, item := range own {
		value, err := merged(item.Value)
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

// mergeSources returns the mappings that the value of a merge key brings in.
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
