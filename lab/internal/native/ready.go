package native

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/org/l4-canary/lab/internal/process"
)

const (
	patience  = 2 * time.Minute        // with any one step; a busy machine is slow
	askEvery  = 100 * time.Millisecond // how often readiness is asked for
	askWithin = 5 * time.Second        // how long an answer may take
	tailLines = 15                     // of a log, in an error
)

// check tells what is not ready yet, or nil.
type check func(ctx context.Context) error

// await asks until the check passes. It gives up when patience ends, and at once
// when one of the processes has ended, with the end of that one's log.
func await(ctx context.Context, ready check, processes ...process.Record) error {
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, askWithin)
		err := ready(asking)
		cancel()
		if err == nil {
			return nil
		}
		for _, p := range processes {
			if !p.Running() {
				return fmt.Errorf("%s has ended; the last lines of %s:\n%s", p.Name, p.Log, p.Tail(tailLines))
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %s: %w%s", patience, err, tails(processes))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func tails(processes []process.Record) string {
	var out strings.Builder
	for _, p := range processes {
		fmt.Fprintf(&out, "\nthe last lines of %s:\n%s", p.Log, p.Tail(tailLines))
	}
	return out.String()
}

// listening passes when something accepts connections at the address: "unix" and a
// path, or "tcp" and host:port.
func listening(network, address string) check {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// answers passes when the URL answers 200. The certificate is not looked at: the
// question is only whether the process is up.
func answers(url string) check {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	client := &http.Client{Transport: transport}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 2048))
		if err != nil {
			return err
		}
		return fmt.Errorf("%s answers %s: %s", url, resp.Status, strings.TrimSpace(string(body)))
	}
}

// every passes when all checks do.
func every(checks ...check) check {
	return func(ctx context.Context) error {
		var problems []error
		for _, c := range checks {
			problems = append(problems, c(ctx))
		}
		return errors.Join(problems...)
	}
}

// nodesReady passes when so many nodes are ready.
func nodesReady(client kubernetes.Interface, want int) check {
	return func(ctx context.Context) error {
		ready, err := readyNodes(ctx, client)
		if err != nil {
			return err
		}
		if len(ready) < want {
			return fmt.Errorf("%d of %d nodes are ready", len(ready), want)
		}
		return nil
	}
}

func readyNodes(ctx context.Context, client kubernetes.Interface) (map[string]bool, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	ready := map[string]bool{}
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready[node.Name] = true
			}
		}
	}
	return ready, nil
}

// podsAllowed passes when pods can be created: admission wants the namespace's
// service account, and the controller manager makes that.
func podsAllowed(client kubernetes.Interface) check {
	return func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	}
}

func newClient(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}
