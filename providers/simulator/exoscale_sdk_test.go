package simulator_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	v3 "github.com/exoscale/egoscale/v3"
)

// The SDK that Exoscale publishes serves as the reference for the format of its API.
func TestExoscalesSDKWorks(t *testing.T) {
	t.Parallel()
	both(t, func(w *env) {
		w.SetKey(key, secret)
		w.SetManaged(addr6, true)
		client := w.exoscale(key, secret)

		list, err := client.ListElasticIPS(w.Context())
		if err != nil || len(list.ElasticIPS) != 3 {
			w.Fatalf("got %+v, %v, want 3 elastic IPs", list, err)
		}
		if got := list.ElasticIPS[0]; got.ID != elasticIPID(addr4) || got.IP != "192.0.2.1" || got.Cidr != "192.0.2.1/32" ||
			got.Addressfamily != v3.ElasticIPAddressfamilyInet4 || got.Healthcheck != nil {
			w.Errorf("got %+v, want 192.0.2.1 without a health check", got)
		}
		if got := list.ElasticIPS[1]; got.ID != elasticIPID(addr6) || got.IP != "2001:db8::1" ||
			got.Addressfamily != v3.ElasticIPAddressfamilyInet6 || got.Healthcheck == nil || client.Validate(got) != nil {
			w.Errorf("got %+v, want 2001:db8::1 with a health check", got)
		}
		one, err := client.GetElasticIP(w.Context(), elasticIPID(prefix.Addr()))
		if err != nil || one.IP != "2001:db8:1::" || one.Cidr != "2001:db8:1::/56" {
			w.Errorf("got %+v, %v, want 2001:db8:1::", one, err)
		}
		w.SetManaged(addr6, false)
		if one, err := client.GetElasticIP(w.Context(), elasticIPID(addr6)); err != nil || one.Healthcheck != nil {
			w.Errorf("got %+v, %v, want no health check", one, err)
		}

		w.Move(addr4, lb1, lb2)
		wantHeld(w, client, lb1, addr4)
		wantHeld(w, client, lb2, addr4, addr6)
		wantListed(w, client, []string{lb1, lb2})
		wantListed(w, client, []string{lb1, lb2}, v3.ListInstancesWithIPAddress("192.0.2.1"))
		wantListed(w, client, []string{lb2}, v3.ListInstancesWithIPAddress("2001:db8::1"))
		wantListed(w, client, nil, v3.ListInstancesWithIPAddress("2001:db8:1::"))
		wantListed(w, client, nil, v3.ListInstancesWithIPAddress("192.0.2.99"))

		w.starts(w.detach(client, addr4, lb1))
		w.wantHolders(addr4, lb2)
		attached := w.starts(w.attach(client, addr4, lb1))
		w.wantHolders(addr4, lb2, lb1)
		if got := attached.Reference; got == nil || got.ID != elasticIPID(addr4) {
			w.Errorf("got reference %+v, want one to 192.0.2.1", got)
		}
		if got, err := client.Wait(w.Context(), &attached, v3.OperationStateSuccess); err != nil || got.ID != attached.ID {
			w.Errorf("got %+v, %v, want the operation %s", got, err, attached.ID)
		}
	})
}

func wantListed(w *env, client *v3.Client, want []string, opts ...v3.ListInstancesOpt) {
	w.Helper()
	list, err := client.ListInstances(w.Context(), opts...)
	if err != nil {
		w.Fatalf("got %v, want a list of instances", err)
	}
	var got []string
	for _, instance := range list.Instances {
		got = append(got, instance.ID.String())
		if instance.Name == "" || instance.State != v3.InstanceStateRunning {
			w.Errorf("got instance %+v, want one with a name that is running", instance)
		}
	}
	if !slices.Equal(got, want) {
		w.Errorf("got instances %q, want %q", got, want)
	}
}

func wantHeld(w *env, client *v3.Client, server string, want ...netip.Addr) {
	w.Helper()
	instance, err := client.GetInstance(w.Context(), v3.UUID(server))
	if err != nil {
		w.Fatalf("got %v, want instance %s", err, server)
	}
	var got []netip.Addr
	for _, ip := range instance.ElasticIPS {
		addr, err := netip.ParseAddr(ip.IP)
		if err != nil || ip.ID != elasticIPID(addr) {
			w.Errorf("got elastic IP %+v, %v, want its address and ID", ip, err)
		}
		got = append(got, addr)
	}
	if !slices.Equal(got, want) || instance.ID.String() != server || instance.State != v3.InstanceStateRunning {
		w.Errorf("got instance %+v with %v, want %s, running, with %v", instance, got, server, want)
	}
}

func TestExoscalesSDKParsesTheErrors(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	w.SetAttachConflict(true)
	gone := "33333333-3333-4333-8333-333333333333"
	w.AddServer(gone, "lb3")
	w.Move(addr6, gone, lb2)
	w.RemoveServer(gone)
	w.wantHolders(addr6, lb2)
	for what, test := range map[string]struct {
		call func() error
		want error
		text string
	}{
		"an elastic IP that does not exist": {
			func() error { _, err := client.GetElasticIP(t.Context(), elasticIPID(absent)); return err },
			v3.ErrNotFound, "Elastic IP not found.",
		},
		"an instance that does not exist": {
			func() error { _, err := client.GetInstance(t.Context(), stranger); return err },
			v3.ErrNotFound, "Instance not found.",
		},
		"an instance that was removed": {
			func() error { _, err := client.GetInstance(t.Context(), v3.UUID(gone)); return err },
			v3.ErrNotFound, "Instance not found.",
		},
		"an operation that does not exist": {
			func() error { _, err := client.GetOperation(t.Context(), stranger); return err },
			v3.ErrNotFound, "Operation not found.",
		},
		"attaching to an elastic IP that does not exist": {
			func() error { _, err := w.attach(client, absent, lb1); return err },
			v3.ErrNotFound, "Elastic IP not found.",
		},
		"attaching an instance that does not exist": {
			func() error { _, err := w.attach(client, addr4, stranger); return err },
			v3.ErrNotFound, "Instance not found.",
		},
		"attaching an instance that is already attached": {
			func() error { _, err := w.attach(client, addr4, lb1); return err },
			v3.ErrConflict, "The instance is attached to the elastic IP.",
		},
		"detaching an instance that is not attached": {
			func() error { _, err := w.detach(client, addr4, lb2); return err },
			v3.ErrNotFound, "The instance is not attached to the elastic IP.",
		},
		"detaching an instance that was removed": {
			func() error { _, err := w.detach(client, addr6, gone); return err },
			v3.ErrNotFound, "Instance not found.",
		},
		"an invalid UUID": {
			func() error { _, err := w.attach(client, addr4, "lb1"); return err },
			v3.ErrBadRequest, "Invalid request",
		},
		"a call that is not simulated": {
			func() error { _, err := client.ListSSHKeys(t.Context()); return err },
			v3.ErrNotFound, "Not Found",
		},
	} {
		err := test.call()
		var said *v3.APIError
		if !errors.Is(err, test.want) || !errors.As(err, &said) || said.Message != test.text {
			t.Errorf("%s: got %v (%+v), want %v and %q", what, err, said, test.want, test.text)
		}
	}
	w.wantHolders(addr4, lb1)
	w.wantHolders(addr6, lb2)
	w.SetAttachConflict(false)
	w.starts(w.attach(client, addr4, lb1)) // the same call is no longer a conflict
	w.wantHolders(addr4, lb1)
}

func TestFilterCanBeIgnored(t *testing.T) {
	t.Parallel()
	w, client := newExoscale(t)
	byAddress := v3.ListInstancesWithIPAddress("192.0.2.1")
	wantListed(w, client, []string{lb1}, byAddress)
	w.SetIgnoreFilter(true)
	wantListed(w, client, []string{lb1, lb2}, byAddress)
	w.SetIgnoreFilter(false)
	wantListed(w, client, []string{lb1}, byAddress)
}
