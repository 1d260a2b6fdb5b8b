package rollout

import (
	"context"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// Question is what one pod is asked past the balancer.
type Question struct {
	Pod     string
	Port    probe.Port    // of the Service, with the exchange that flows hold
	Address string        // of the balancer: the pod is asked as if it were this
	Times   int           // each on a connection of its own
	Over    time.Duration // in which these begin, evenly
}

// Asker asks one pod directly.
type Asker interface {
	// Ask holds the exchange with the pod and returns the answers, with the pod's names.
	// An error tells of exchanges that failed; what the others gave is good all the same.
	Ask(ctx context.Context, question Question) ([]probe.Heard, error)
}

// Smoker makes a single pod of the new version that is in no Service.
type Smoker interface {
	// Smoke creates the pod and returns its name. It waits for nothing. A *Setback says
	// that the cluster has no room.
	Smoke(ctx context.Context) (pod string, err error)

	// Snuff removes every such pod of the Service.
	Snuff(ctx context.Context) error
}
