package probe

import (
	"net"
	"net/netip"
)

// LocalAddresses are this machine's own, without those that stay on a link or in the
// machine; nil if they cannot be read.
func LocalAddresses() []netip.Addr {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var found []netip.Addr
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if address := prefix.Addr().Unmap(); err == nil && !address.IsLoopback() && !address.IsLinkLocalUnicast() {
			found = append(found, address)
		}
	}
	return found
}
