package simulator_test

import (
	"net/http"
	"net/netip"
	"testing"

	"floaty/providers/simulator"
)

func TestMetadataServiceIdentifiesTheClient(t *testing.T) {
	t.Parallel()
	const path = "/openstack/latest/meta_data.json"
	here, there := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.77")
	both(t, func(w *env) {
		w.SetToken("s3cr3t") // the metadata service requires none
		w.wants(404, "404 Not Found", http.MethodGet, path, "")
		byAddress := map[netip.Addr]string{here: lb1, there: lb2}
		w.SetMetadata(byAddress, stranger)
		byAddress[here] = "changed by the caller later"
		want := `{"meta":{"cloudscale_uuid":"` + lb1 + `"},"name":"lb1","uuid":"00000000-0000-4000-8000-0000000000ff"}` + "\n"
		if got := w.call(http.MethodGet, path, ""); got.status != 200 || got.body != want {
			w.Errorf("got %d %s, want 200 %s", got.status, got.body, want)
		}
		w.SetMetadata(map[netip.Addr]string{there: lb2}, stranger)
		w.wants(200, stranger, http.MethodGet, path, "")
		w.SetMetadata(map[netip.Addr]string{here: ""}, lb2)
		w.wants(404, "404 Not Found", http.MethodGet, path, "")

		w.Fail(simulator.Fault{Path: "meta_data", Kind: simulator.LostAnswer})
		if got, err := w.try(w.Context(), http.MethodGet, path, ""); err == nil {
			w.Errorf("got %+v, want no answer", got)
		}
		w.ClearFaults()
		w.Fail(simulator.Fault{Path: "meta_data", Status: 503})
		w.wants(503, "", http.MethodGet, path, "")
	})
}

func TestExoscalesMetadataServiceIdentifiesTheClient(t *testing.T) {
	t.Parallel()
	here, there := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.77")
	both(t, func(w *env) {
		w.SetKey(key, secret) // the metadata service requires none
		for _, directory := range []string{"/latest/meta-data/", "/1.0/meta-data/"} {
			w.SetMetadata(nil, "")
			w.wants(404, "404 Not Found", http.MethodGet, directory+"instance-id", "")
			w.wants(404, "404 Not Found", http.MethodGet, directory+"availability-zone", "")
			for what, byAddress := range map[string]map[netip.Addr]string{
				lb1: {here: lb1, there: lb2},
				lb2: {there: lb1}, // the fallback
			} {
				w.SetMetadata(byAddress, lb2)
				for name, want := range map[string]string{"instance-id": what, "availability-zone": "ch-gva-2"} {
					got := w.call(http.MethodGet, directory+name, "")
					if got.status != 200 || got.body != want || got.header.Get("Content-Type") != "text/plain" {
						w.Errorf("%s: got %+v, want 200 and %q", directory+name, got, want)
					}
				}
			}
			w.wants(404, "", http.MethodGet, directory+"public-ipv4", "")
		}
		w.Fail(simulator.Fault{Path: "/latest/meta-data/instance-id", Status: 503})
		w.wants(503, "", http.MethodGet, "/latest/meta-data/instance-id", "")
		w.wants(200, "", http.MethodGet, "/1.0/meta-data/instance-id", "")
		if got := w.Calls(); len(got) != 0 {
			w.Errorf("got calls %+v, want none", got)
		}
	})
}
