package simulator_test

import (
	"net/http"
	"net/netip"
	"testing"

	v3 "github.com/exoscale/egoscale/v3"
	"github.com/exoscale/egoscale/v3/credentials"

	"floaty/providers/simulator"
)

const (
	elasticIPs = "/v2/elastic-ip"
	key        = "EXO0123456789"
	secret     = "s3cr3t/+=,;"
)

// newExoscale returns an env, over HTTP/1.1, whose cloud requires a key, and Exoscale's own client with that key.
func newExoscale(t *testing.T) (*env, *v3.Client) {
	t.Helper()
	w := newEnv(t, false)
	w.SetKey(key, secret)
	return w, w.exoscale(key, secret)
}

// exoscale returns the client that Exoscale publishes. It gets this env's HTTP client, because its own would repeat calls.
func (w *env) exoscale(key, secret string) *v3.Client {
	w.Helper()
	client, err := v3.NewClient(credentials.NewStaticCredentials(key, secret),
		v3.ClientOptWithHTTPClient(w.client), v3.ClientOptWithEndpoint(v3.Endpoint(w.url+"/v2")))
	if err != nil {
		w.Fatal(err)
	}
	return client
}

func elasticIPID(addr netip.Addr) v3.UUID { return v3.UUID(simulator.ElasticIPID(addr)) }

// attach requests that server becomes a holder of addr.
func (w *env) attach(client *v3.Client, addr netip.Addr, server string) (*v3.Operation, error) {
	w.Helper()
	return client.AttachInstanceToElasticIP(w.Context(), elasticIPID(addr),
		v3.AttachInstanceToElasticIPRequest{Instance: &v3.InstanceTarget{ID: v3.UUID(server)}})
}

// detach requests that server is no longer a holder of addr.
func (w *env) detach(client *v3.Client, addr netip.Addr, server string) (*v3.Operation, error) {
	w.Helper()
	return client.DetachInstanceFromElasticIP(w.Context(), elasticIPID(addr),
		v3.DetachInstanceFromElasticIPRequest{Instance: &v3.InstanceTarget{ID: v3.UUID(server)}})
}

// starts returns the operation of an attach or detach that must be accepted. At first the operation is pending, however it ends.
func (w *env) starts(got *v3.Operation, err error) v3.Operation {
	w.Helper()
	if err != nil || got.State != v3.OperationStatePending {
		w.Fatalf("got operation %+v, %v, want it pending", got, err)
	}
	return *got
}

// ends waits for the end of an operation and returns it.
func (w *env) ends(client *v3.Client, started v3.Operation) v3.Operation {
	w.Helper()
	var last v3.Operation
	w.eventually("the operation ends", func() bool {
		got, err := client.GetOperation(w.Context(), started.ID)
		if err != nil {
			w.Fatalf("got %v, want operation %s", err, started.ID)
		}
		last = *got
		return last.State != v3.OperationStatePending
	})
	return last
}

// attachPath returns the URL path of the request that attaches a server to addr.
func attachPath(addr netip.Addr) string {
	return elasticIPs + "/" + simulator.ElasticIPID(addr) + ":attach"
}

// put makes an attach or detach request without a signature.
func (w *env) put(path, server string) (answer, error) {
	w.Helper()
	return w.try(w.Context(), http.MethodPut, path, `{"instance": {"id": "`+server+`"}}`)
}
