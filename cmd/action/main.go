// Command l4-canary releases a TCP or UDP service on Kubernetes in stages: it
// moves pods from the old Deployment to the new one behind a LoadBalancer
// Service, samples the live balancer between the moves, and goes on only by what
// it observed.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	command := Command{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ(), Dir: dir, Contained: exists("/.dockerenv") || exists("/run/.containerenv"),
	}
	code := command.Run(ctx, os.Args[1:])
	stop()
	os.Exit(int(code))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
