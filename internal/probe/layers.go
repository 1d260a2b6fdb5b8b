package probe

import (
	"fmt"
	"slices"
	"strings"
)

// Layers are what lies between a TCP connection and what an exchange says.
type Layers struct {
	Proxy    ProxyHeader // sent first of all; empty: none
	StartTLS StartTLS    // how the protocol turns to TLS; empty: TLS from the beginning, if there is any
	TLS      *TLS        // nil: none, and behind StartTLS one that takes any certificate
}

// Around puts the layers around an exchange. With TLS and a nil exchange the server's
// certificate is the answer.
func (l Layers) Around(inner Exchange) (Exchange, error) {
	if l.StartTLS != "" && l.TLS == nil {
		l.TLS = &TLS{Insecure: true}
	}
	if inner == nil && l.TLS != nil {
		inner = certificate{}
	}
	if inner == nil {
		inner = banner()
	}
	if l == (Layers{}) {
		return inner, nil
	}
	name := inner.String()
	if nested, ok := inner.(layered); ok { // "https" and "tls" bring TLS along
		inner = nested.inner
		if l.TLS == nil {
			l.TLS = nested.layers.TLS
		}
	}
	if inner.String() == "udp" || !inner.speaks(TCP) {
		return nil, fmt.Errorf("probe %q is not spoken over TCP, and TLS, STARTTLS and the PROXY header are", inner)
	}
	if !slices.Contains(proxyHeaders(), l.Proxy) {
		return nil, fmt.Errorf("PROXY header %q is unknown: allowed are v1, v2", l.Proxy)
	}
	if _, ok := inner.(health); ok && l.TLS != nil && len(l.TLS.ALPN) == 0 {
		speaking := *l.TLS
		speaking.ALPN = []string{"h2"} // without it a server speaks HTTP/1.1
		l.TLS = &speaking
	}
	upgrade, known := upgrades()[l.StartTLS]
	if l.StartTLS != "" && !known {
		return nil, fmt.Errorf("STARTTLS of %q is unknown: allowed are %s", l.StartTLS, strings.Join(StartTLSNames(), ", "))
	}
	return layered{name: name, inner: inner, layers: l, upgrade: upgrade}, nil
}

// layered is an exchange inside of something else.
type layered struct {
	name    string
	inner   Exchange
	layers  Layers
	upgrade []Step
}

func (l layered) String() string { return l.name }

func (l layered) speaks(p Protocol) bool { return p == TCP }

func (l layered) hold(c *conversation) error {
	if err := l.establish(c); err != nil {
		return err
	}
	return l.inner.hold(c)
}

// establish brings the conversation to where the inner exchange begins.
func (l layered) establish(c *conversation) error {
	if l.layers.Proxy != "" {
		if err := l.layers.Proxy.send(c); err != nil {
			return fmt.Errorf("sending the PROXY header: %w", err)
		}
	}
	if l.upgrade != nil {
		if err := upgrade(c, l.upgrade); err != nil {
			return fmt.Errorf("asking for TLS: %w", err)
		}
	}
	if l.layers.TLS == nil {
		return nil
	}
	return l.layers.TLS.handshake(c)
}

// part says the inner exchange's last word, then that of TLS.
func (l layered) part(c *conversation) {
	if inner, ok := l.inner.(farewell); ok {
		inner.part(c)
	}
	c.lingers = true
	if over, ok := c.over.(interface{ CloseWrite() error }); ok {
		_ = over.CloseWrite() // a courtesy: whoever does not take it has closed already
	}
}

// secure is a preset over TLS that takes any certificate: it says nothing that would be
// a secret, and asks only who answers.
func secure(name string, inner Exchange, alpn ...string) Exchange {
	return layered{name: name, inner: inner, layers: Layers{TLS: &TLS{Insecure: true, ALPN: alpn}}}
}

// With is an exchange with its layers around another one.
func With(outer, inner Exchange) Exchange {
	if l, ok := outer.(layered); ok {
		l.inner = inner
		return l
	}
	return inner
}

// innermost is an exchange without its layers.
func innermost(e Exchange) Exchange {
	if l, ok := e.(layered); ok {
		return l.inner
	}
	return e
}
