package conf

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParseConf checks what must hold for every file: Parse neither panics nor hangs, and returns either a one-line error with its
// position, or valid addresses and groups of existing instances.
func FuzzParseConf(f *testing.F) {
	for _, c := range good {
		f.Add(c.text)
	}
	f.Add("include *.conf\n")
	f.Add("$A={\nvrrp_instance A ${A} ~SEQ(i,1,3) }")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(write(t, t.TempDir(), "k.txt", text), Options{ID: hostID})
		if err != nil {
			if p := (Problem{}); !errors.As(err, &p) || p.Text == "" || strings.ContainsAny(err.Error()[len(p.File):], "\n") {
				t.Errorf("got %q, want a Problem in one line", err)
			}
			return
		}
		if len(got.Instances) > 0 && !strings.Contains(text, instanceWord) && !strings.ContainsAny(text, "$~") {
			t.Errorf("got %s from %q, which names no instance", summary(got), text)
		}
		seen := map[string]bool{}
		for _, inst := range got.Instances {
			if seen[inst.Name] || inst.Line == 0 {
				t.Errorf("got instance %q twice or without a line (line %d), want it once with its line", inst.Name, inst.Line)
			}
			seen[inst.Name] = true
			for _, p := range inst.Addresses {
				if !p.IsValid() || p.Addr().BitLen() != inst.Addresses[0].Addr().BitLen() {
					t.Errorf("got instance %q with %v, want valid addresses of one family", inst.Name, inst.Addresses)
				}
			}
		}
		for _, g := range got.Groups {
			for _, m := range g.Members {
				if !seen[m] {
					t.Errorf("group %q has the member %q, which is not an instance", g.Name, m)
				}
			}
		}
	})
}
