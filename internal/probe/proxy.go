package probe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ProxyHeader is a version of the PROXY protocol, in which a connection begins with the
// addresses of its two ends. The prober gives its own, as a balancer would.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
type ProxyHeader string

// The versions of the header: a line of text, and a binary one.
const (
	ProxyV1 ProxyHeader = "v1"
	ProxyV2 ProxyHeader = "v2"
)

// proxySignature begins a header of version 2.
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

func proxyHeaders() []ProxyHeader { return []ProxyHeader{"", ProxyV1, ProxyV2} }

// send begins the connection.
func (p ProxyHeader) send(c *conversation) error {
	from, err := local(c.socket)
	if err != nil { // a connection that goes through something else
		return c.send(p.unknown())
	}
	to := netip.AddrPortFrom(c.target.Addr().WithZone(""), c.target.Port())
	return c.send(p.header(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), to))
}

// unknown is the header of a connection whose own address nobody knows.
func (p ProxyHeader) unknown() []byte {
	if p == ProxyV1 {
		return []byte("PROXY UNKNOWN\r\n")
	}
	const local, unspecified = 0x20, 0
	return append([]byte(proxySignature), local, unspecified, 0, 0)
}

// header is what the connection begins with.
func (p ProxyHeader) header(from, to netip.AddrPort) []byte {
	family, code := "TCP4", byte(0x11)
	if to.Addr().Is6() {
		family, code = "TCP6", 0x21
	}
	if p == ProxyV1 {
		return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, from.Addr(), to.Addr(), from.Port(), to.Port())
	}
	const proxy = 0x21 // version 2, on behalf of somebody
	var addresses []byte
	addresses = append(addresses, from.Addr().AsSlice()...)
	addresses = append(addresses, to.Addr().AsSlice()...)
	addresses = binary.BigEndian.AppendUint16(addresses, from.Port())
	addresses = binary.BigEndian.AppendUint16(addresses, to.Port())
	header := append([]byte(proxySignature), proxy, code)
	return append(binary.BigEndian.AppendUint16(header, uint16(len(addresses))), addresses...)
}
