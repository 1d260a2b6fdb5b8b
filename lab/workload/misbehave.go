package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
)

// lot is how one flow is answered.
type lot struct {
	version string
	wrong   bool
}

// lottery draws the lots of the flows. It is safe for concurrent use.
type lottery struct {
	cfg Config
	mu  sync.Mutex
	rng *rand.Rand
}

// newLottery draws the same sequence for the same seed, unless that is zero.
func newLottery(cfg Config) *lottery {
	seed := cfg.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	return &lottery{cfg: cfg, rng: rand.New(rand.NewPCG(seed, 0))}
}

func (l *lottery) draw() lot {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.rng.Float64()
	switch {
	case x < l.cfg.ErrorShare:
		return lot{version: l.cfg.Version, wrong: true}
	case x < l.cfg.ErrorShare+l.cfg.OtherShare:
		return lot{version: l.cfg.OtherVersion}
	}
	return lot{version: l.cfg.Version}
}

// allocate takes mib MiB, touches every page so that the kernel has to find
// them, and holds them until serving ends.
func allocate(serving context.Context, mib int, log *slog.Logger) {
	log.Info("allocating", "mib", mib)
	held := make([][]byte, 0, mib)
	for range mib {
		if serving.Err() != nil {
			return
		}
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += os.Getpagesize() {
			block[i] = 1
		}
		held = append(held, block)
	}
	log.Info("allocated", "mib", mib)
	<-serving.Done()
	runtime.KeepAlive(held)
}
