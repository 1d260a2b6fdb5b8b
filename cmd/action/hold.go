package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// Hold implements rollout.Holder, with the sweep of source ports that the samplers
// share.
func (p *prober) Hold(ctx context.Context, addresses []string, count int) (rollout.HeldFlows, error) {
	options, err := p.towards(ctx, addresses)
	if err != nil {
		return nil, err
	}
	options.Count = count
	held, err := probe.Hold(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("holding flows to %s open: %w", strings.Join(addresses, ", "), err)
	}
	return held, nil
}

// room adds to the problems of the inputs that this machine has too few sockets.
func room(o config.Rollout, err error) error {
	return amend(err, "hold-open", func() config.Problems {
		if o.HoldOpen == 0 {
			return nil
		}
		if few := probe.Room(o.HoldOpen, o.Rate); few != nil {
			return config.Problems{{Input: "hold-open", Value: strconv.Itoa(o.HoldOpen), Allowed: few.Error()}}
		}
		return nil
	})
}
