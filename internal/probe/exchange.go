package probe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxAnswer is how much of an answer is read and classified.
const MaxAnswer = 64 << 10

// Exchange is what one flow says and what it expects. Preset, Auto, Get, NewScript,
// WithGoodbye and Layers make them. An Exchange is immutable: many flows hold it at once.
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
func presets() []Exchange {
	return []Exchange{
		banner(), datagram(), secure("tls", certificate{}), request{}, secure("https", request{}, "http/1.1"), chaos{}, info(), health{},
	}
}

// PresetNames are the words for Preset.
func PresetNames() []string {
	var names []string
	for _, e := range presets() {
		names = append(names, e.String())
	}
	return names
}

// Preset finds an exchange by its name: "tcp" reads the banner of a server that
// speaks first, "udp" sends one small datagram and takes the answer to it, "tls" takes
// the certificate of the handshake for the answer, "http" is GET / with Connection:
// close and "https" the same over TLS, "dns" asks a server of names for its version and
// its own name, "redis" is INFO server, and "grpc" the health check of gRPC.
func Preset(name string) (Exchange, error) {
	for _, e := range presets() {
		if e.String() == name {
			return e, nil
		}
	}
	return nil, fmt.Errorf("probe %q is unknown: allowed are %s", name, strings.Join(PresetNames(), ", "))
}

// Speaks reports whether an exchange can be held over a transport.
func Speaks(e Exchange, p Protocol) bool { return e.speaks(p) }

// Auto picks the exchange for "probe: auto". What the Service says of the port
// goes before what its number suggests: the appProtocol if there is one, then
// the name, then the number.
func Auto(port, appProtocol string, protocol Protocol, number uint16) Exchange {
	preset := cmp.Or(named(appProtocol), named(port))
	if appProtocol != "" && named(appProtocol) == "" {
		preset = "tcp" // something that we do not know, whatever the port is called
	}
	if preset == "" {
		preset = usual()[number]
	}
	for _, e := range presets() {
		if e.String() == preset && e.speaks(protocol) {
			return e
		}
	}
	if protocol == UDP {
		return datagram()
	}
	return banner()
}

// usual are the ports whose number says what is spoken there.
func usual() map[uint16]string {
	return map[uint16]string{
		53: "dns", 80: "http", 443: "https", 6379: "redis", 8080: "http", 8443: "https", 50051: "grpc",
	}
}

// named is the preset that a port's name or appProtocol promises, by the word before
// the first hyphen: "http-admin", "kubernetes.io/h2c", "GRPC" and the like. HTTP/2 in
// the clear is asked as gRPC is, which tells a server that knows no health check too.
func named(word string) string {
	word = strings.TrimPrefix(strings.ToLower(word), "kubernetes.io/")
	if word == "grpc-web" { // a dialect of HTTP/1.1
		return "http"
	}
	first, _, _ := strings.Cut(word, "-")
	for preset, words := range map[string][]string{
		"http":  {"http", "http1", "web", "www", "ws"},
		"https": {"https", "wss"},
		"tls":   {"tls", "ssl"},
		"grpc":  {"grpc", "http2", "h2", "h2c"},
		"dns":   {"dns"},
		"redis": {"redis"},
		"tcp":   {"tcp"},
	} {
		if slices.Contains(words, first) {
			return preset
		}
	}
	return ""
}

// errSilent is an answer without a single byte.
var errSilent = errors.New("closed without an answer")
