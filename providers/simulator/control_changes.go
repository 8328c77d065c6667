package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

func (c *Cloud) controlServers(r *http.Request) error {
	var in struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if in.ID == "" {
		return errors.New("id is missing")
	}
	c.AddServer(in.ID, in.Name)
	return nil
}

func (c *Cloud) controlAddresses(r *http.Request) error {
	var in struct {
		Address netip.Prefix `json:"address"`
		Servers []string     `json:"servers"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := CheckNetwork(in.Address); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if err := c.knowServers(in.Servers); err != nil {
		return err
	}
	c.AddAddress(in.Address, in.Servers...)
	return nil
}

func (c *Cloud) controlMove(r *http.Request) error {
	var in struct {
		Address netip.Addr `json:"address"`
		Servers []string   `json:"servers"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := c.knowAddress(in.Address); err != nil {
		return err
	}
	if err := c.knowServers(in.Servers); err != nil {
		return err
	}
	c.Move(in.Address, in.Servers...)
	return nil
}

func (c *Cloud) controlToken(r *http.Request) error {
	var in struct {
		Tokens []string `json:"tokens"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	c.SetToken(in.Tokens...)
	return nil
}

func (c *Cloud) controlLatency(r *http.Request) error {
	var in struct {
		Latency duration `json:"latency"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	c.SetLatency(time.Duration(in.Latency))
	return nil
}

func (c *Cloud) controlFault(r *http.Request) error {
	var in struct {
		Method     string   `json:"method"`
		Path       string   `json:"path"`
		Kind       *Kind    `json:"kind"`
		Status     int      `json:"status"`
		Body       string   `json:"body"`
		NoBody     bool     `json:"no_body"`
		RetryAfter string   `json:"retry_after"`
		Reason     string   `json:"reason"`
		Message    string   `json:"message"`
		Times      int      `json:"times"`
		For        duration `json:"for"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	switch {
	case in.Kind == nil:
		return errors.New("kind is missing")
	case in.Status != 0 && (in.Status < 200 || in.Status > 599):
		return fmt.Errorf("status %d is not in 200 to 599", in.Status)
	case in.Times < 0:
		return fmt.Errorf("times %d is below 0", in.Times)
	}
	c.Fail(Fault{
		Method: in.Method, Path: in.Path, Kind: *in.Kind, Status: in.Status, Body: in.Body, NoBody: in.NoBody, RetryAfter: in.RetryAfter,
		Reason: in.Reason, Message: in.Message, Times: in.Times, For: time.Duration(in.For),
	})
	return nil
}

func (c *Cloud) controlRemoval(r *http.Request) error {
	var in struct {
		ID string `json:"id"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := c.knowServers([]string{in.ID}); err != nil {
		return err
	}
	c.RemoveServer(in.ID)
	return nil
}

func (c *Cloud) controlManaged(r *http.Request) error {
	var in struct {
		Address netip.Addr `json:"address"`
		On      bool       `json:"on"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := c.knowAddress(in.Address); err != nil {
		return err
	}
	c.SetManaged(in.Address, in.On)
	return nil
}

func (c *Cloud) controlRegion(r *http.Request) error {
	var in struct {
		Address netip.Addr `json:"address"`
		Region  string     `json:"region"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := c.knowAddress(in.Address); err != nil {
		return err
	}
	c.SetRegion(in.Address, in.Region)
	return nil
}

func (c *Cloud) controlServerRegion(r *http.Request) error {
	var in struct {
		ID     string `json:"id"`
		Region string `json:"region"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if in.Region == "" {
		return errors.New("region is missing")
	}
	if err := c.knowServers([]string{in.ID}); err != nil {
		return err
	}
	c.SetServerRegion(in.ID, in.Region)
	return nil
}

func (c *Cloud) controlKey(r *http.Request) error {
	var in struct {
		Key    string `json:"key"`
		Secret string `json:"secret"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if in.Key == "" {
		return errors.New("key is missing")
	}
	c.SetKey(in.Key, in.Secret)
	return nil
}

func (c *Cloud) controlOperationTime(r *http.Request) error {
	var in struct {
		Time duration `json:"time"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	c.SetOperationTime(time.Duration(in.Time))
	return nil
}

// onOff returns the control of a switch.
func onOff(set func(bool)) func(*http.Request) error {
	return func(r *http.Request) error {
		var in struct {
			On bool `json:"on"`
		}
		if err := decode(r, &in); err != nil {
			return err
		}
		set(in.On)
		return nil
	}
}
