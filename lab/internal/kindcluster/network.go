package kindcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
)

const (
	networkName = "kind" // kind's fixedNetworkName, whatever the clusters are called

	// Labs that may run side by side, each with a slice of the network: of IPv4 a
	// /26 counted from the end, which Docker reaches last, of IPv6 a /124.
	maxLabs   = 8
	poolBits  = 26
	poolBits6 = 124

	registryPort = 5100 // that of the first lab; one more for each further
)

// network is a Docker network as the lab needs it.
type network struct {
	gateway netip.Addr   // the machine's IPv4 address on the bridge
	subnet  netip.Prefix // IPv4
	subnet6 netip.Prefix // invalid if there is none
}

// inspectNetwork asks Docker for kind's network.
func inspectNetwork(ctx context.Context) (network, error) {
	cmd := exec.CommandContext(ctx, "docker", "network", "inspect", networkName, "--format", "{{json .IPAM.Config}}")
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return network{}, fmt.Errorf("inspecting Docker network %q: %w", networkName, err)
	}
	return parseNetwork(out)
}

// parseNetwork reads the list that Docker prints as IPAM.Config.
func parseNetwork(data []byte) (network, error) {
	var configs []struct {
		Subnet  netip.Prefix
		Gateway string // IPv6 gateways may have a prefix length behind them
	}
	if err := json.Unmarshal(data, &configs); err != nil {
		return network{}, fmt.Errorf("reading Docker network %q: %w", networkName, err)
	}
	var n network
	for _, config := range configs {
		if !config.Subnet.Addr().Is4() {
			n.subnet6 = config.Subnet
			continue
		}
		n.subnet = config.Subnet.Masked()
		n.gateway = n.subnet.Addr().Next() // Docker's default
		if config.Gateway == "" {
			continue
		}
		gateway, err := netip.ParseAddr(config.Gateway)
		if err != nil {
			return network{}, fmt.Errorf("reading Docker network %q: %w", networkName, err)
		}
		n.gateway = gateway
	}
	if !n.subnet.IsValid() {
		return network{}, fmt.Errorf("reading Docker network %q: it has no IPv4 subnet", networkName)
	}
	return n, nil
}

// registry is where the lab with that index serves images.
func (n network) registry(index int) string {
	return netip.AddrPortFrom(n.gateway, registryPort+uint16(index)).String()
}

// pools are the LoadBalancer addresses of the lab with that index. For example,
// lab 0 in 172.18.0.0/16 has 172.18.255.192/26, lab 1 has 172.18.255.128/26; in
// fc00::/64 they have fc00::ff:0:0/124 and fc00::ff:0:10/124.
func (n network) pools(index int, dualStack bool) ([]netip.Prefix, error) {
	if index >= maxLabs {
		return nil, fmt.Errorf("lab number %d: at most %d labs run side by side with kind", index+1, maxLabs)
	}
	if n.subnet.Bits() > 20 {
		return nil, fmt.Errorf("choosing LoadBalancer addresses: Docker network %q is %s: it must be a /20 or wider to hold LoadBalancer addresses", networkName, n.subnet)
	}
	slice := last(n.subnet).As4() // ends in 255, as it is a /20 or wider
	at := 256 - (index+1)<<(32-poolBits)
	if at < 0 {
		at += 256
		slice[2]--
	}
	slice[3] = byte(at)
	pools := []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4(slice), poolBits)}
	if !dualStack {
		return pools, nil
	}
	if !n.subnet6.IsValid() || n.subnet6.Bits() > 64 {
		return nil, fmt.Errorf("choosing LoadBalancer addresses: Docker network %q has no IPv6 subnet of /64 or wider, which dual stack needs", networkName)
	}
	slice6 := n.subnet6.Masked().Addr().As16()
	slice6[11], slice6[15] = 0xff, byte(index<<(128-poolBits6))
	return append(pools, netip.PrefixFrom(netip.AddrFrom16(slice6), poolBits6)), nil
}

// last is the highest address of an IPv4 prefix.
func last(prefix netip.Prefix) netip.Addr {
	addr := prefix.Masked().Addr().As4()
	for bit := prefix.Bits(); bit < 32; bit++ {
		addr[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(addr)
}

// takeover lists the commands by which a node takes the pools for its own. A
// local route is enough for IPv4: the kernel answers ARP for whatever it routes
// to itself. IPv6 neighbour discovery wants every single address on the device.
func takeover(pools []netip.Prefix) [][]string {
	var commands [][]string
	for _, pool := range pools {
		if pool.Addr().Is4() {
			commands = append(commands, []string{"ip", "route", "replace", "local", pool.String(), "dev", "lo"})
			continue
		}
		for addr := pool.Addr().Next(); pool.Contains(addr); addr = addr.Next() {
			commands = append(commands, []string{"ip", "addr", "replace", addr.String() + "/128", "dev", "eth0", "nodad"})
		}
	}
	return commands
}
