package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk" // registers itself, as do the others
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// pack creates the packages and the archive for an architecture.
func (r *release) pack(arch string) error {
	program, err := os.ReadFile(filepath.Join(r.stage, "program-"+arch))
	if err != nil {
		return err
	}
	if err := r.put("floaty", program); err != nil {
		return err
	}
	distributionArch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	for format, name := range map[string]string{
		"deb": "floaty_" + r.version + "_" + arch + ".deb",
		"rpm": "floaty_" + r.version + "_" + distributionArch + ".rpm",
		"apk": "floaty_" + apkVersion(r.version) + "_" + distributionArch + ".apk",
	} {
		if err := r.packAs(format, name, arch); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return r.archive(arch)
}

// description reads nfpm.yaml for an architecture.
func (r *release) description(arch, version string) (nfpm.Config, error) {
	file, err := os.Open(filepath.Join(r.source, "hack", "packaging", "nfpm.yaml"))
	if err != nil {
		return nfpm.Config{}, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return nfpm.ParseWithEnvMapping(file, func(name string) string {
		return map[string]string{"ARCH": arch, "VERSION": version}[name]
	})
}

// describe reads nfpm.yaml for a format and an architecture, and puts the files that it names into the stage.
func (r *release) describe(format, arch string) (*nfpm.Info, error) {
	version := r.version
	if format == "apk" {
		version = apkVersion(version)
	}
	config, err := r.description(arch, version)
	if err != nil {
		return nil, err
	}
	info, err := config.Get(format)
	if err != nil {
		return nil, err
	}
	info.MTime = r.time
	if format == "apk" { // its description is one line
		info.Description, _, _ = strings.Cut(info.Description, "\n")
	}
	scripts := []*string{
		&info.Scripts.PreInstall, &info.Scripts.PostInstall, &info.Scripts.PreRemove, &info.Scripts.PostRemove, &info.APK.Scripts.PostUpgrade,
	}
	for _, script := range scripts {
		if err := r.fetch(script); err != nil {
			return nil, err
		}
	}
	for _, content := range info.Contents {
		if content.Packager != "" && content.Packager != format {
			continue
		}
		if err := r.fetch(&content.Source); err != nil {
			return nil, err
		}
		mode := os.FileMode(0o644)
		if content.FileInfo != nil && content.FileInfo.Mode != 0 {
			mode = content.FileInfo.Mode
		}
		content.FileInfo = &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.time}
	}
	return nfpm.WithDefaults(info), nil
}

// fetch copies a file of the clone into the stage, unless the file was generated there, and changes name to its path in the stage.
func (r *release) fetch(name *string) error {
	if *name == "" {
		return nil
	}
	staged := filepath.Join(r.stage, *name)
	if _, err := os.Stat(staged); errors.Is(err, os.ErrNotExist) {
		content, err := os.ReadFile(filepath.Join(r.source, *name))
		if err != nil {
			return err
		}
		if err := r.put(*name, content); err != nil {
			return err
		}
	}
	*name = staged
	return nil
}

func (r *release) packAs(format, name, arch string) error {
	info, err := r.describe(format, arch)
	if err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	return r.create(name, func(w io.Writer) error { return packager.Package(info, w) })
}

// archive creates the .tar.gz: the files of the Debian package, below a directory that is named like the archive.
func (r *release) archive(arch string) error {
	info, err := r.describe("deb", arch)
	if err != nil {
		return err
	}
	top := "floaty_" + r.version + "_linux_" + arch
	return r.create(top+".tar.gz", func(w io.Writer) error {
		zipped, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		packed := tar.NewWriter(zipped)
		for _, content := range info.Contents {
			if content.Packager != "" && content.Packager != "deb" {
				continue
			}
			text, err := os.ReadFile(content.Source)
			if err != nil {
				return err
			}
			header := &tar.Header{
				Name: path.Join(top, strings.TrimPrefix(content.Destination, "/")), Mode: int64(content.FileInfo.Mode), Size: int64(len(text)),
				ModTime: r.time, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
			}
			if err := packed.WriteHeader(header); err != nil {
				return err
			}
			if _, err := packed.Write(text); err != nil {
				return err
			}
		}
		return errors.Join(packed.Close(), zipped.Close())
	})
}

// create creates a file in dist.
func (r *release) create(name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(r.dist, name))
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
