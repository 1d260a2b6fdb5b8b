package rollout

import (
	"context"
	"iter"

	"github.com/org/l4-canary/internal/probe"
)

// Prober makes the flows of one stage.
type Prober interface {
	// Sampler prepares flows to every port of the addresses, after resolving
	// those that are names. It fails if no flow could ever be sent; where that is
	// the prober's own fault, with a *Setback that says so. No flow is wanted after
	// the deadline of ctx.
	Sampler(ctx context.Context, aim Aim) (Flows, error)
}

// Aim is what the flows of a window are to be.
type Aim struct {
	Addresses []string
	Seed      uint64

	// Known tells the versions apart, by port, where that was learned: whoever
	// samples elsewhere need not send answers back. nil: patterns do, or nothing yet.
	Known  []*probe.Classifier
	Listen bool // the answers themselves are wanted: something is to be learned of them
}

// Flows are samples in the order in which they were scheduled. There is one range
// over them, and it frees whatever makes them.
type Flows interface {
	Flows(ctx context.Context) iter.Seq[probe.Flow]
	Stats() probe.Stats

	// Err is why the flows ended by themselves, nil if they did not: a *Setback.
	Err() error
}

// Sweeper removes what the prober of a run that was killed has left.
type Sweeper interface {
	// Sweep removes it. Errors are the API server's.
	Sweep(ctx context.Context) error
}
