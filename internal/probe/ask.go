package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Ask holds a port's exchange on a connection that leads to one pod, whoever made it,
// as if it led to the address: what a flow to the balancer asks is asked here. It
// closes the connection. The answer may be a part of one if an error comes back.
func Ask(ctx context.Context, connection net.Conn, port Port, address netip.Addr, timeout time.Duration) ([]byte, error) {
	c := &conversation{buffer: make([]byte, MaxAnswer)}
	c.reset(port, address.Unmap(), time.Now(), timeout)
	if err := c.keep(connection); err != nil {
		return nil, err
	}
	defer c.close(false)
	defer whenDone(ctx, c.cut)()
	err := connection.SetDeadline(c.due)
	if err == nil {
		err = c.phase(c.limits.FirstByte)
	}
	if err == nil {
		err = port.Exchange.hold(c)
	}
	answer := c.answer
	if answer == nil {
		answer = slices.Clone(c.buffer[:c.received])
	}
	answer = answer[:min(len(answer), MaxAnswer)]
	answer = port.shown(answer)
	if err == nil {
		c.part(port.Exchange)
	}
	if ctx.Err() != nil {
		return answer, ctx.Err()
	}
	if err != nil {
		return answer, fmt.Errorf("port %s: %w", port, brief(plain(err)))
	}
	return answer, nil
}
