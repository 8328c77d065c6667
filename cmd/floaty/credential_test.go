package main_test

import (
	"strings"
	"testing"
	"time"

	"floaty/hack/testenv"
	"floaty/providers/simulator"
)

// A cloud may answer a wrong credential with a 403 that does not mention the credential. Each address then waits for a refresh interval.
func TestANewCredentialEndsTheWaitsAfterRefusals(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]struct {
		config func(*testenv.Host) string
		secret string
		key    string
		body   string
	}{
		"cloudscale": {(*testenv.Host).Floaty, testenv.Token, "token", `{"detail":"You do not have permission."}`},
		"exoscale":   {(*testenv.Host).FloatyAtExoscale, testenv.Secret, "secret", `{"message":"Forbidden"}`},
		"exoscale, refused by a role policy": {
			(*testenv.Host).FloatyAtExoscale, testenv.Secret, "secret", `{"message":"Forbidden by role policy for compute"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newEnv(t, one, two)
			config := strings.Replace(at.config(w.Host), at.key+": "+at.secret, at.key+"-file: secret", 1)
			config = strings.Replace(config, "refresh-interval: 2s", "refresh-interval: 1m", 1)
			config = strings.Replace(config, "max-interval: 1s", "max-interval: 1m", 1)
			w.must(w.Configure("secret", "an-older-one"))
			w.must(w.Configure("floaty.yml", config))
			w.Cloud.Fail(simulator.Fault{Kind: simulator.Status, Status: 403, Body: at.body})
			w.start()
			w.says("MASTER")
			w.eventually("the cloud has refused", 3*time.Second, func() bool { return len(w.Cloud.Calls()) > 1 })
			w.never("an address was moved", 500*time.Millisecond, func() bool { return w.here(one) || w.here(two) })
			w.Cloud.ClearFaults()
			w.must(w.Configure("secret", at.secret))
			w.holds(1500*time.Millisecond, one, two)
		})
	}
}
