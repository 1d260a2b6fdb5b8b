// Command l4-canary releases a TCP or UDP service on Kubernetes in stages: it
// moves pods from the old Deployment to the new one behind a LoadBalancer
// Service, samples the live balancer between the moves, and goes on only by what
// it observed.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go obey(signals, cancel)
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	command := Command{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ(), Dir: dir, Contained: exists("/.dockerenv") || exists("/run/.containerenv"),
	}
	args := os.Args[1:]
	if filepath.Base(os.Args[0]) == postName {
		args = []string{"post"} // the arguments are those of the step that it comes after
	}
	os.Exit(int(command.Run(ctx, args)))
}

// obey tells the program to stop at the first signal and ends it at the second, or
// if it has not stopped by itself before CI systems lose their patience: whatever it
// waits for then, every instant is safe.
func obey(signals <-chan os.Signal, cancel func()) {
	const patience = 4500 * time.Millisecond
	<-signals
	cancel()
	select {
	case <-signals:
	case <-time.After(patience):
	}
	os.Exit(int(ExitInterrupted))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
