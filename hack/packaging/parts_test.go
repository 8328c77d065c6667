package main

import (
	"debug/buildinfo"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"
)

func TestTheSPDXDocumentAndTheNoticesAreComplete(t *testing.T) {
	f, err := os.Open(only(t, "floaty_*.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	doc, err := json.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Error(err)
	}
	var got []string
	for _, p := range doc.Packages {
		if p.PackageLicenseDeclared == "" || p.PackageLicenseDeclared == "NOASSERTION" {
			t.Errorf("%s has no licence", p.PackageName)
		}
		got = append(got, p.PackageName+" "+p.PackageVersion)
	}
	info, err := buildinfo.ReadFile(programOf(t, "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	notices, err := os.ReadFile(noticesOf(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"std " + info.GoVersion}
	for _, dep := range info.Deps {
		want = append(want, dep.Path+" "+dep.Version)
	}
	for _, part := range want {
		if !slices.Contains(got, part) {
			t.Errorf("the program contains %s, which the SPDX document does not name", part)
		}
		if !strings.Contains(string(notices), "\n"+part+" (") {
			t.Errorf("the program contains %s, which the notices do not name", part)
		}
	}
	if len(got) != len(want)+1 {
		t.Errorf("the SPDX document names %d packages, want floaty and the %d modules that it contains", len(got), len(want))
	}
	for line := range strings.Lines(string(notices)) {
		if module, ok := strings.CutSuffix(strings.TrimSpace(line), " (MPL-2.0)"); ok {
			path, version, _ := strings.Cut(module, " ")
			if url := "https://" + path + "/tree/" + version; !strings.Contains(string(notices), url) {
				t.Errorf("%s is under the MPL: the notices do not name the address of its source, %s", module, url)
			}
		}
	}
}

// noticesOf returns the path of a copy of the notices.
func noticesOf(t *testing.T) string {
	t.Helper()
	return unpacked(t, "amd64", "usr/share/doc/floaty/THIRD-PARTY-NOTICES", 0o600)
}
