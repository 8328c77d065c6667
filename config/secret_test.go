package config

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
	yamlv2 "sigs.k8s.io/yaml/goyaml.v2"
)

const hidden = "s3cr3t-t0ken"

func TestASecretIsNeverPrinted(t *testing.T) {
	secret := NewSecret(hidden)
	type inside struct {
		Exported Secret
		inner    Secret
		pointer  *Secret
		list     []Secret
		keys     map[Secret]Secret
	}
	for name, value := range map[string]any{
		"itself":   secret,
		"pointer":  &secret,
		"struct":   inside{secret, secret, &secret, []Secret{secret}, map[Secret]Secret{secret: secret}},
		"pointer2": &inside{secret, secret, &secret, []Secret{secret}, map[Secret]Secret{secret: secret}},
		"list":     []Secret{secret},
		"map":      map[string]Secret{"token": secret},
		"any":      []any{secret},
		"config":   &Config{Clouds: Clouds{Cloudscale: Cloudscale{Token: secret}, Exoscale: Exoscale{Key: secret, Secret: secret}}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%p", "%t", "%T", "%#q", "%40s", "%-4.2s", "%z"} {
			check(t, name+" "+verb, fmt.Sprintf(verb, value))
		}
		check(t, name+" Sprint", fmt.Sprint(value))
		check(t, name+" Errorf", fmt.Errorf("using it: %v", value).Error())
		check(t, name+" JSON", encoded(json.Marshal(value)))
		check(t, name+" XML", encoded(xml.Marshal(value)))
		check(t, name+" slog", slog.AnyValue(value).String())
		check(t, name+" YAML", encoded(yaml.Marshal(value)))
		check(t, name+" goyaml", encoded(yamlv2.Marshal(value)))
	}
}

func TestSecretsAreComparedByValue(t *testing.T) {
	if NewSecret("a") != NewSecret(strings.Clone("a")) {
		t.Error("got different secrets for the same value, want equal ones")
	}
	if NewSecret("a") == NewSecret("b") {
		t.Error("got equal secrets for different values, want different ones")
	}
	if NewSecret("") != (Secret{}) {
		t.Error("got a secret that differs from the zero Secret for an empty value, want them equal")
	}
}

func TestRevealReturnsTheSecret(t *testing.T) {
	if got := NewSecret(hidden).Reveal(); got != hidden {
		t.Errorf("got %q, want %q", got, hidden)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
	if got, want := fmt.Sprint(NewSecret(hidden)), "(secret)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := fmt.Sprint(Secret{}); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func encoded(data []byte, err error) string { return fmt.Sprint(string(data), err) }

func check(t *testing.T, how, got string) {
	t.Helper()
	hex := fmt.Sprintf("%x", hidden)
	for _, form := range []string{hidden, hidden[:4], hex, strings.ToUpper(hex), fmt.Sprintf("% x", hidden)} {
		if strings.Contains(got, form) {
			t.Errorf("%s: got %q, want it without any part of the secret", how, got)
		}
	}
}
