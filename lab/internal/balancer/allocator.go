package balancer

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// allocator knows which Service holds which address. It is not safe for
// concurrent use.
type allocator struct {
	pools  []netip.Prefix
	owners map[netip.Addr]string
	last   map[corev1.IPFamily]netip.Addr // given out most recently
}

// newAllocator refuses pools that do not exist or overlap.
func newAllocator(pools []netip.Prefix) (*allocator, error) {
	if len(pools) == 0 {
		return nil, errors.New("there is no pool of addresses: at least one prefix is needed")
	}
	for i, pool := range pools {
		if !pool.IsValid() {
			return nil, fmt.Errorf("pool %d is not a valid prefix", i+1)
		}
		if j := slices.IndexFunc(pools[:i], pool.Overlaps); j >= 0 {
			return nil, fmt.Errorf("pools %s and %s overlap", pools[j], pool)
		}
	}
	return &allocator{
		pools:  pools,
		owners: map[netip.Addr]string{},
		last:   map[corev1.IPFamily]netip.Addr{},
	}, nil
}

// claim gives addr to owner if it is in a pool and free or the owner's already.
func (a *allocator) claim(addr netip.Addr, owner string) bool {
	holder, held := a.owners[addr]
	if held && holder != owner || !a.usable(addr) {
		return false
	}
	a.owners[addr] = owner
	return true
}

// held returns owner's lowest address of a family; it is invalid if there is none.
func (a *allocator) held(owner string, family corev1.IPFamily) netip.Addr {
	var lowest netip.Addr
	for addr, holder := range a.owners {
		if holder == owner && familyOf(addr) == family && (!lowest.IsValid() || addr.Less(lowest)) {
			lowest = addr
		}
	}
	return lowest
}

// next gives owner the first free address behind the one given out last, going
// round; it is invalid if the family's pools are exhausted.
func (a *allocator) next(owner string, family corev1.IPFamily) netip.Addr {
	addr := a.freeAfter(a.last[family], family)
	if !addr.IsValid() {
		addr = a.freeAfter(netip.Addr{}, family)
	}
	if addr.IsValid() {
		a.owners[addr] = owner
		a.last[family] = addr
	}
	return addr
}

// freeAfter returns the first free address behind last, or of all if last is
// invalid; it is itself invalid if there is none.
func (a *allocator) freeAfter(last netip.Addr, family corev1.IPFamily) netip.Addr {
	behind := !last.IsValid()
	for addr := range a.addresses(family) {
		if _, held := a.owners[addr]; behind && !held {
			return addr
		}
		behind = behind || addr == last
	}
	return netip.Addr{}
}

// free takes from owner every address but those to keep, and returns them.
func (a *allocator) free(owner string, keep []netip.Addr) []netip.Addr {
	var freed []netip.Addr
	for addr, holder := range a.owners {
		if holder == owner && !slices.Contains(keep, addr) {
			delete(a.owners, addr)
			freed = append(freed, addr)
		}
	}
	slices.SortFunc(freed, netip.Addr.Compare)
	return freed
}

// addresses yields the usable addresses of a family's pools in order.
func (a *allocator) addresses(family corev1.IPFamily) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, pool := range a.pools {
			if familyOf(pool.Addr()) != family {
				continue
			}
			for addr := pool.Masked().Addr(); pool.Contains(addr); addr = addr.Next() {
				if a.usable(addr) && !yield(addr) {
					return
				}
			}
		}
	}
}

// usable tells whether addr is a host's address in a pool.
func (a *allocator) usable(addr netip.Addr) bool {
	i := slices.IndexFunc(a.pools, func(pool netip.Prefix) bool { return pool.Contains(addr) })
	if i < 0 {
		return false
	}
	pool := a.pools[i]
	if addr.BitLen()-pool.Bits() <= 1 {
		return true // a pool of one or two addresses has no room to reserve any
	}
	network := addr == pool.Masked().Addr()
	broadcast := addr.Is4() && !pool.Contains(addr.Next())
	return !network && !broadcast
}

func familyOf(addr netip.Addr) corev1.IPFamily {
	if addr.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}
