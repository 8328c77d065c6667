package simulator_test

import (
	"errors"
	"net/url"
	"testing"

	sdk "github.com/cloudscale-ch/cloudscale-go-sdk/v8"
)

// The SDK that cloudscale.ch publishes serves as the reference for the format of its API.
func TestSDKWorks(t *testing.T) {
	t.Parallel()
	both(t, func(w *env) {
		w.SetToken("s3cr3t")
		w.AimAtLoadBalancer(addr6, "lb-of-a-colleague")
		client := sdk.NewClient(w.client)
		base, err := url.Parse(w.url + "/")
		if err != nil {
			w.Fatal(err)
		}
		client.BaseURL = base

		var refused *sdk.ErrorResponse
		if _, err := client.FloatingIPs.List(w.Context()); !errors.As(err, &refused) || refused.StatusCode != 401 {
			w.Errorf("without a token: got %v, want 401", err)
		}
		client.AuthToken = "s3cr3t"

		list, err := client.FloatingIPs.List(w.Context())
		if err != nil || len(list) != 3 {
			w.Fatalf("got %v, %v, want 3 floating IPs", list, err)
		}
		if got := list[0]; got.IP() != "192.0.2.1" || got.PrefixLength() != 32 || got.IPVersion != 4 || got.Server == nil ||
			got.Server.UUID != lb1 || got.LoadBalancer != nil || got.Region.Slug != "lpg" || got.CreatedAt.IsZero() {
			w.Errorf("got %+v, want 192.0.2.1 at %s", got, lb1)
		}
		if got := list[1]; got.IP() != "2001:db8::1" || got.Server != nil || got.LoadBalancer == nil || got.LoadBalancer.UUID != "lb-of-a-colleague" {
			w.Errorf("got %+v, want 2001:db8::1 at a load balancer", got)
		}
		if got := list[2]; got.IP() != "2001:db8:1::" || got.PrefixLength() != 56 || got.Server != nil {
			w.Errorf("got %+v, want 2001:db8:1::/56 without a target", got)
		}

		for _, id := range []string{"192.0.2.1", "2001:db8::1", "2001:db8:1::"} {
			if err := client.FloatingIPs.Update(w.Context(), id, &sdk.FloatingIPUpdateRequest{Server: lb2}); err != nil {
				w.Errorf("%s: got %v, want no error", id, err)
			}
			got, err := client.FloatingIPs.Get(w.Context(), id)
			if err != nil || got.Server == nil || got.Server.UUID != lb2 {
				w.Errorf("%s: got %+v, %v, want it at %s", id, got, err, lb2)
			}
		}
		err = client.FloatingIPs.Update(w.Context(), "192.0.2.99", &sdk.FloatingIPUpdateRequest{Server: lb2})
		if !errors.As(err, &refused) || refused.StatusCode != 404 {
			w.Errorf("an absent address: got %v, want 404", err)
		}
		// The message is in a list, which the SDK cannot parse, so it loses the status.
		err = client.FloatingIPs.Update(w.Context(), "192.0.2.1", &sdk.FloatingIPUpdateRequest{Server: stranger})
		if err == nil || errors.As(err, &refused) {
			w.Errorf("an absent server: got %v, want an error of another kind", err)
		}
		server, err := client.Servers.Get(w.Context(), lb1)
		if err != nil || server.UUID != lb1 || server.Name != "lb1" || server.Status != "running" {
			w.Errorf("got server %+v, %v, want lb1, running", server, err)
		}
	})
}
