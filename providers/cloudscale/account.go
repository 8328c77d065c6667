package cloudscale

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"floaty/providers/netset"
)

// An account is what floaty needs from a list of floating IPs. The SDK's own list keeps all fields of each floating IP and the whole
// text as well: 80 MB for 10,000.
type account struct {
	holders  netset.Set[[]string]
	six      netset.Set[struct{}] // the IPv6 networks among them
	unparsed []string             // networks that are not valid
	names    map[string]string    // of servers, by ID
	known    map[string][]string  // slices in holders, by the ID in them: many addresses share few holders
}

// A floatingIP has the fields of a floating IP that floaty uses.
type floatingIP struct {
	Network      string `json:"network"`
	Server       *stub  `json:"server"`
	LoadBalancer *stub  `json:"load_balancer"`
}

type stub struct {
	UUID string `json:"uuid"`
	Name string `json:"name"` // of a server
}

// ReadFrom decodes the list as it arrives, one floating IP at a time. It implements [io.ReaderFrom], to which the SDK passes the
// answer's body.
func (a *account) ReadFrom(list io.Reader) (int64, error) {
	part := &part{Reader: list, left: maxFloatingIP}
	decoder := json.NewDecoder(part)
	start, err := decoder.Token()
	if err != nil {
		return 0, err
	}
	if start != json.Delim('[') {
		return 0, errors.New("unusable response (want a list)")
	}
	for decoder.More() {
		var ip floatingIP
		if err := decoder.Decode(&ip); err != nil {
			return 0, cutOff(err)
		}
		a.add(ip)
		part.left = maxFloatingIP
	}
	if _, err := decoder.Token(); err != nil { // the end of the list
		return 0, cutOff(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return 0, errors.Join(errors.New("unexpected data after the list"), err)
	}
	return decoder.InputOffset(), nil
}

// cutOff turns the early end of an answer into an error that names it.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// maxFloatingIP bounds one floating IP in the list, in bytes. The decoder buffers all of it.
const maxFloatingIP = 1 << 20

// A part limits a reader to the length of one floating IP.
type part struct {
	io.Reader
	left int
}

// Read implements [io.Reader].
func (p *part) Read(data []byte) (int, error) {
	if p.left <= 0 {
		return 0, fmt.Errorf("a floating IP is longer than %d bytes", maxFloatingIP)
	}
	n, err := p.Reader.Read(data)
	p.left -= n
	return n, err
}

// Write implements [io.Writer], which the SDK requires, although it calls ReadFrom instead.
func (a *account) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (a *account) add(ip floatingIP) {
	network, err := netset.Parse(ip.Network)
	if err != nil {
		a.unparsed = append(a.unparsed, ip.Network)
		return
	}
	a.holders.Add(network, a.aimed(ip))
	if network.Addr().Is6() {
		a.six.Add(network, struct{}{})
	}
}

// aimed returns the ID of the server or load balancer that ip points at; nil if it points at nothing.
func (a *account) aimed(ip floatingIP) []string {
	var ids []string
	for _, at := range []*stub{ip.Server, ip.LoadBalancer} {
		if at != nil && at.UUID != "" {
			ids = append(ids, at.UUID)
		}
	}
	if len(ids) != 1 {
		return ids
	}
	if ip.Server != nil && ip.Server.Name != "" {
		a.names[ids[0]] = ip.Server.Name
	}
	if known, ok := a.known[ids[0]]; ok {
		return known
	}
	a.known[ids[0]] = ids
	return ids
}
