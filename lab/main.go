// Command lab makes a real Kubernetes cluster on this machine to try l4-canary
// on, and takes it away again:
//
//	lab build       build what it is made of, so that up is quick
//	lab up          make it; a second time says that it is there
//	lab status      what runs, where, and how much memory it takes
//	lab kubeconfig  print the path of a kubeconfig
//	lab kubectl     run kubectl as the admin
//	lab logs        print the end of the components' logs
//	lab restart     end components and start them again
//	lab unplug      take the second node off the network; lab plug brings it back
//	lab down        take it away, to the last route
//
// Without a flag the cluster is called "lab", has one node, and balances with
// nftables. Where this machine cannot run it natively (Linux, root), kind does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot(os.Getenv, os.Stdout, os.Stderr).ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	if child := new(exec.ExitError); !errors.As(err, &child) { // kubectl has spoken for itself
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
	os.Exit(exitStatus(err))
}
