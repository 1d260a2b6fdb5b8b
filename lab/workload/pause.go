package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// pause waits for SIGINT or SIGTERM. As the first process of a pod it inherits
// the orphans of the others, so it reaps them.
func pause(log *slog.Logger) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGCHLD)
	log.Info("pausing")
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

// reap collects every child that has ended; several may share one signal.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}
