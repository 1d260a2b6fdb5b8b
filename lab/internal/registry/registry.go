// Package registry is the lab's image registry: it serves the workload under
// any repository name and tag, builds each image when it is first asked for,
// and keeps nothing. The same workload gives the same digests on every run.
//
// The version that an image answers with is its tag, or, where that is "latest"
// or a digest, the last element of its repository up to the first "-":
//
//	registry.cn-hangzhou.aliyuncs.com/xianlu/old-nginx   old
//	registry.example/web:v2                              v2
//
// A program of one's own, if there is one, is the image of every repository whose last
// element is the name of its file, and is started without arguments.
//
// A repository whose last element is "pause" is a pod's pause image. Some
// elements anywhere in a repository make a pull fail, as it fails in life:
// "missing" with 404, "denied" with 403, "private" with 401.
//
// A container runtime reaches it as a mirror of every registry; the one it
// stands in for comes as the query parameter ns and is only logged.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options of a registry.
type Options struct {
	Listen   string // host:port
	Workload string // path of the static workload binary, read once
	Program  string // of another static binary; empty: none
	Log      *slog.Logger
}

// Run serves until ctx ends, and then returns nil.
func Run(ctx context.Context, opts Options) error {
	handler, err := Handler(ctx, opts.Workload, opts.Program, opts.Log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		return fmt.Errorf("listening for image pulls: %w", err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	unhook := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer unhook()
	opts.Log.Info("serving images", "address", listener.Addr().String(), "workload", opts.Workload)
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving images: %w", err)
	}
	return nil
}
