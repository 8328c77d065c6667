package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// commitTime returns the time of the checked-out commit, in UTC.
func commitTime(ctx context.Context, root string) (time.Time, error) {
	text, err := output(ctx, root, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the commit's time: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// chooseVersion returns the requested version, or else that of the highest tag at the checked-out commit. Without either, it returns a version
// with the commit's time, which sorts after the last release before that commit, or before every release if there is none.
func chooseVersion(ctx context.Context, root, asked string, commit time.Time) (string, error) {
	if asked != "" {
		return checkVersion(strings.TrimPrefix(asked, "v"))
	}
	tags, err := output(ctx, root, "git", "tag", "--points-at", "HEAD", "--sort=-v:refname", "--list", "v*")
	if err != nil {
		return "", err
	}
	if tag, _, _ := strings.Cut(tags, "\n"); tag != "" {
		return checkVersion(strings.Replace(strings.TrimPrefix(tag, "v"), "-", "~", 1))
	}
	base, next := "0.0.0", "~git"
	if tag, err := output(ctx, root, "git", "describe", "--tags", "--abbrev=0", "--match=v*"); err == nil { // else there is none
		base, next = strings.Replace(strings.TrimPrefix(tag, "v"), "-", "~", 1), "+git"
	}
	return checkVersion(base + next + commit.Format("20060102150405"))
}

// checkVersion returns version, or an error if one of the three kinds of packages cannot express it.
func checkVersion(version string) (string, error) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(~(git|rc|beta|alpha)\d*)?(\+git\d+)?$`).MatchString(version) {
		return "", fmt.Errorf("%q is not a version: want X.Y.Z, or X.Y.Z~rcN (also alpha, beta, git)", version)
	}
	return version, nil
}

// apkVersion returns a version in Alpine's format: _rc1 sorts before the release, _p1 after it.
func apkVersion(version string) string {
	return strings.NewReplacer("~", "_", "+git", "_p").Replace(version)
}
