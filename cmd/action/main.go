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
	"strings"
	"syscall"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
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
	kube.Quiet()
	environ := os.Environ()
	command := Command{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: keep(environ), Environ: environ, Dir: dir, Contained: exists("/.dockerenv") || exists("/run/.containerenv"),
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

// keep remembers the environment and takes the secret inputs out of it: programs that the
// process starts, such as a kubeconfig's exec plugin, inherit the rest.
func keep(environ []string) func(string) string {
	kept := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			kept[name] = value
		}
	}
	for _, name := range config.SecretVariables() {
		_ = os.Unsetenv(name) // it fails for names that no variable can have
	}
	return func(name string) string { return kept[name] }
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
