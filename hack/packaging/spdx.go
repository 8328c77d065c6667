package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"regexp"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// writeSPDX writes the SPDX document, which lists the program's parts and their licences. SPDX requires a time, which is the commit's.
func (r *release) writeSPDX(parts []part) error {
	list := fmt.Sprint(r.version)
	for _, p := range parts {
		list += fmt.Sprintf("\n%s %s %s", p.path, p.version, p.license)
	}
	doc := &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      "floaty-" + r.version,
		DocumentNamespace: fmt.Sprintf("https://spdx.org/spdxdocs/floaty-%s-%x", r.version, sha256.Sum256([]byte(list))),
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "floaty-hack-package"}},
			Created:  r.time.Format("2006-01-02T15:04:05Z"),
		},
	}
	floaty := component("floaty", r.version, "BSD-3-Clause", "NOASSERTION")
	doc.Packages = append(doc.Packages, floaty)
	relate := func(from, to common.ElementID, kind string) {
		doc.Relationships = append(doc.Relationships, &spdx.Relationship{
			RefA: common.MakeDocElementID("", string(from)), RefB: common.MakeDocElementID("", string(to)), Relationship: kind,
		})
	}
	relate("DOCUMENT", floaty.PackageSPDXIdentifier, common.TypeRelationshipDescribe)
	for _, p := range parts {
		linked := component(p.path, p.version, p.license, p.url())
		linked.PackageExternalReferences = []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: p.purl(),
		}}
		doc.Packages = append(doc.Packages, linked)
		relate(floaty.PackageSPDXIdentifier, linked.PackageSPDXIdentifier, common.TypeRelationshipContains)
	}
	return r.create("floaty_"+r.version+".spdx.json", func(w io.Writer) error {
		return json.Write(doc, w, json.Indent("  "))
	})
}

func component(name, version, license, from string) *spdx.Package {
	return &spdx.Package{
		PackageName:             name,
		PackageSPDXIdentifier:   common.ElementID("Package-" + regexp.MustCompile(`[^A-Za-z0-9.]+`).ReplaceAllString(name, "-")),
		PackageVersion:          version,
		PackageDownloadLocation: from,
		FilesAnalyzed:           false,
		PackageLicenseConcluded: license,
		PackageLicenseDeclared:  license,
		PackageCopyrightText:    "NOASSERTION",
	}
}
