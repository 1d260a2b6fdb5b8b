// Command workload is the canary's guinea pig: one small static server that
// says over HTTP, TCP and UDP which version it is and in which pod it runs, and
// that misbehaves when its environment tells it to.
//
//	workload         serve until SIGTERM
//	workload pause   hold a pod's namespaces: wait for a signal, reap zombies
//
// HTTP answers any path with the version and a newline, and the headers
// X-Version and X-Pod; /healthz is readiness. TCP greets with "VERSION POD" and
// then sends every line back behind the version, for as long as the client
// likes. UDP answers any datagram with "VERSION POD".
// Prometheus finds memory, open TCP conversations and resets at /metrics of HEALTH_ADDR.
//
// # Environment
//
//	VERSION        the version word (dev); the lab's registry bakes it into the image
//	HOSTNAME       the pod's name (the host's)
//	HTTP_ADDR      where HTTP listens (:80)
//	TCP_ADDR       where TCP listens, separated by commas (:7000)
//	UDP_ADDR       where UDP listens, separated by commas (:7000,:80)
//	HEALTH_ADDR    where /metrics is, and a second place for /healthz, whatever else is told (:8081)
//	DELAY          wait this long before each answer (0s)
//	ERROR_SHARE    share of flows answered wrongly, 0 to 1 (0): HTTP with status 500,
//	               TCP reset before the greeting, UDP not at all
//	OTHER_SHARE    share of flows answered as OTHER_VERSION, 0 to 1 (0)
//	OTHER_VERSION  the version word for those flows
//	SEED           makes the choice of those flows repeatable (0: a new one each start)
//	REFUSE         true: be ready, but listen on no port of HTTP, TCP and UDP
//	NEVER_READY    true: /healthz answers 503 for ever
//	CRASH_AFTER    exit with status 1 after this long
//	ALLOCATE_MIB   take and touch this much memory once started
//	IGNORE_SIGTERM true: end by SIGKILL only
//	DRAIN_DELAY    go on accepting for this long after SIGTERM (0s)
//
// An address may be "off". A flow is a connection for HTTP and TCP, a datagram
// for UDP. The two shares are drawn from one lot, so they never overlap. After
// SIGTERM and DRAIN_DELAY answers under way are finished, without further delay,
// idle and held connections are closed, and the exit status is 0. A value that
// makes no sense ends the program at once with status 2.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(realMain(os.Args[1:], os.Getenv, os.Stderr))
}

// realMain runs the mode that args name and returns the exit status.
func realMain(args []string, getenv func(string) string, stderr io.Writer) int {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if len(args) == 1 && args[0] == "pause" {
		pause(log)
		return exitOK
	}
	if len(args) > 0 {
		_, _ = fmt.Fprintf(stderr, "unknown arguments %q: allowed are none, to serve, or \"pause\"\n", args)
		return exitUsage
	}
	cfg, err := ParseConfig(getenv)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitUsage
	}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if cfg.IgnoreSIGTERM {
		signal.Ignore(syscall.SIGTERM)
		signals = signals[:1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	switch err := Run(ctx, cfg, log); {
	case errors.Is(err, ErrCrash):
		log.Error("crashing as told", "crash_after", cfg.CrashAfter)
		return exitFailed
	case err != nil:
		log.Error("serving failed", "error", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitOK
}
