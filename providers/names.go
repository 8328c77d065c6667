package providers

import "sync"

// Names holds the names of servers, by ID, as far as the cloud's answers have contained them. The zero value is empty. It may be used by
// many goroutines at once. A name stays until the server has another one, because an answer may leave out a server that holds nothing at
// the moment.
type Names struct{ byID sync.Map }

// Keep stores the name of a server.
func (n *Names) Keep(id, name string) {
	if n.Name(id) != name {
		n.byID.Store(id, name)
	}
}

// Name returns the name of a server; empty: unknown.
func (n *Names) Name(id string) string {
	name, _ := n.byID.Load(id)
	text, _ := name.(string)
	return text
}
