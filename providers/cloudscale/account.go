package cloudscale

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"floaty/providers/netset"
)

// An account is what a list of floating IPs says. The SDK's own list holds all of each floating IP, and the text of all of them
// beside it: 80 MB for 10,000.
type account struct {
	holders netset.Set[[]string]
	six     netset.Set[struct{}] // the IPv6 networks among them
	unclear []string             // networks that could not be read
	names   map[string]string    // of servers, by ID
	known   map[string][]string  // what holders has, by the ID in it: many addresses have few holders
}

// A floatingIP is what matters of one.
type floatingIP struct {
	Network      string `json:"network"`
	Server       *stub  `json:"server"`
	LoadBalancer *stub  `json:"load_balancer"`
}

type stub struct {
	UUID string `json:"uuid"`
	Name string `json:"name"` // of a server
}

// ReadFrom reads the list as it comes, one floating IP at a time. It implements [io.ReaderFrom], to which the SDK hands the
// answer.
func (a *account) ReadFrom(list io.Reader) (int64, error) {
	part := &part{Reader: list, left: maxFloatingIP}
	decoder := json.NewDecoder(part)
	start, err := decoder.Token()
	if err != nil {
		return 0, err
	}
	if start != json.Delim('[') {
		return 0, errors.New("it is no list")
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
		return 0, errors.Join(errors.New("there is something after the list"), err)
	}
	return decoder.InputOffset(), nil
}

// cutOff names the end of an answer that has come too early.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// maxFloatingIP bounds what one floating IP takes in the list, in bytes: the decoder holds all of it.
const maxFloatingIP = 1 << 20

// A part is as much of a reader as one floating IP may take.
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

// Write is what the SDK asks for; it calls ReadFrom instead.
func (a *account) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (a *account) add(ip floatingIP) {
	network, err := netset.Parse(ip.Network)
	if err != nil {
		a.unclear = append(a.unclear, ip.Network)
		return
	}
	a.holders.Add(network, a.aimed(ip))
	if network.Addr().Is6() {
		a.six.Add(network, struct{}{})
	}
}

// aimed returns the ID of the server or load balancer that ip is aimed at; none if it is aimed at nothing.
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
