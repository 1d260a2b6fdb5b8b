package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxAnswer is how much of an answer is read and classified.
const MaxAnswer = 64 << 10

// Exchange is what one flow says and what it expects. Preset, Auto, Custom and
// NewScript make them. An Exchange is immutable: many flows hold it at once.
type Exchange interface {
	// String is the word users know it by, such as "http".
	String() string

	// speaks reports whether the exchange can be held over a transport.
	speaks(Protocol) bool

	// hold talks on a connected socket until the answer is complete, and
	// leaves it in c.answer, also as much of it as came before an error. The
	// error's kind decides the class of the flow: see classOf.
	hold(c *conversation) error
}

// presets are the exchanges that have a name.
func presets() []Exchange { return []Exchange{banner(), datagram(), request{}} }

// Preset finds an exchange by its name: "tcp" reads the banner of a server that
// speaks first, "udp" sends one small datagram and takes the answer to it,
// "http" is GET / with Connection: close.
func Preset(name string) (Exchange, error) {
	var names []string
	for _, e := range presets() {
		if e.String() == name {
			return e, nil
		}
		names = append(names, e.String())
	}
	return nil, fmt.Errorf("probe %q is unknown: allowed are %s", name, strings.Join(names, ", "))
}

// Auto picks the exchange for "probe: auto". What the Service says of the port
// goes before what its number suggests: the appProtocol if there is one, then
// the name, then the number. TLS is not HTTP to a prober: "https" is no match.
func Auto(port, appProtocol string, protocol Protocol, number uint16) Exchange {
	switch {
	case protocol == UDP:
		return datagram()
	case appProtocol != "":
		if saysHTTP(appProtocol) {
			return request{}
		}
		return banner()
	case saysHTTP(port):
		return request{}
	case saysTLS(port):
		return banner()
	case number == 80 || number == 8080:
		return request{}
	}
	return banner()
}

// saysHTTP reports whether a port's name or appProtocol promises plain
// HTTP/1.1: "http", "http-admin", "web", "kubernetes.io/ws" and the like.
func saysHTTP(word string) bool {
	word = strings.TrimPrefix(strings.ToLower(word), "kubernetes.io/")
	first, _, _ := strings.Cut(word, "-")
	return slices.Contains([]string{"http", "http1", "web", "www", "ws"}, first)
}

// saysTLS reports whether a port's name promises TLS or HTTP/2, which answer
// nothing useful to GET / in the clear.
func saysTLS(word string) bool {
	first, _, _ := strings.Cut(strings.ToLower(word), "-")
	return slices.Contains([]string{"https", "tls", "ssl", "wss", "http2", "h2", "h2c", "grpc"}, first)
}

// errSilent is an answer without a single byte.
var errSilent = errors.New("closed without an answer")
