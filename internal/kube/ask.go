package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// askTimeout is that of one exchange.
const askTimeout = 5 * time.Second

// way leads to one port of one pod.
type way interface {
	open(ctx context.Context) (net.Conn, error)
	close()
}

// Ask implements rollout.Asker: over TCP through the API server, or else, and over UDP
// always, at the pod's own address, which has to be reachable from here.
func (c *Cluster) Ask(ctx context.Context, q rollout.Question) ([]probe.Heard, error) {
	pod, err := c.pods.Get(q.Pod)
	if err != nil {
		return nil, fmt.Errorf("reading pod %q: %w", q.Pod, err)
	}
	port, err := c.targetPort(pod, q.Port)
	if err != nil {
		return nil, fmt.Errorf("asking pod %q: %w", q.Pod, err)
	}
	addresses, err := probe.Resolve(ctx, q.Address)
	if err != nil {
		return nil, err
	}
	there, err := c.way(ctx, pod, q.Port.Protocol, port)
	if err != nil {
		return nil, fmt.Errorf("asking pod %q: %w", q.Pod, err)
	}
	defer there.close()
	return c.exchange(ctx, there, pod, addresses[0], q)
}

// enoughFailures in a row, with no answer before them, are not worth waiting for more.
const enoughFailures = 2

// exchange asks as often as it is told.
func (c *Cluster) exchange(ctx context.Context, there way, pod *corev1.Pod, address netip.Addr, q rollout.Question) ([]probe.Heard, error) {
	var heard []probe.Heard
	var failed error
	failures := 0
	for i := range q.Times {
		if len(heard) == 0 && failures == enoughFailures {
			break
		}
		if i > 0 && !pause(ctx, q.Over/time.Duration(q.Times)) {
			return heard, ctx.Err()
		}
		conn, err := there.open(ctx)
		var answer []byte
		if err == nil {
			answer, err = probe.Ask(ctx, conn, q.Port, address, askTimeout)
		}
		if err != nil {
			failed = err
			failures++
			continue
		}
		heard = append(heard, probe.Heard{Pod: pod.Name, Own: names(pod), Answer: answer})
	}
	if failed != nil {
		failed = fmt.Errorf("pod %q, asked directly, failed %d of %d times: %w", q.Pod, failures, failures+len(heard), failed)
	}
	return heard, failed
}

var errNoAddress = errors.New("the pod has no address")

// way finds the way to a pod's port.
func (c *Cluster) way(ctx context.Context, pod *corev1.Pod, protocol probe.Protocol, port int) (way, error) {
	var forbidden error
	if protocol == probe.TCP {
		forward, err := c.forward(ctx, pod.Name, port)
		if err == nil {
			return forward, nil
		}
		forbidden = fmt.Errorf("forwarding port %d through the API server: %w", port, err)
	}
	if pod.Status.PodIP == "" {
		return nil, errors.Join(forbidden, errNoAddress)
	}
	direct := direct{strings.ToLower(string(protocol)), net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port))}
	if protocol == probe.UDP {
		return direct, nil // only an answer could tell whether it leads there
	}
	conn, err := direct.open(ctx)
	if err != nil {
		return nil, errors.Join(forbidden, fmt.Errorf("at the pod's own address: %w", err))
	}
	_ = conn.Close() // it was only to see
	return direct, nil
}

// direct is the way by the pod's own address.
type direct struct{ network, address string }

func (d direct) open(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: askTimeout}
	return dialer.DialContext(ctx, d.network, d.address)
}

func (direct) close() {}

// targetPort is what a port of the Service is on a pod.
func (c *Cluster) targetPort(pod *corev1.Pod, port probe.Port) (int, error) {
	service, err := c.services.Get(c.Service)
	if err != nil {
		return 0, fmt.Errorf("reading service %q: %w", c.Service, err)
	}
	for _, p := range service.Spec.Ports {
		if p.Port != int32(port.Number) || protocolOf(p.Protocol) != port.Protocol {
			continue
		}
		switch {
		case p.TargetPort.Type == intstr.String:
			return namedPort(pod, p.TargetPort.StrVal, port.Protocol)
		case p.TargetPort.IntVal != 0:
			return int(p.TargetPort.IntVal), nil
		}
		return int(p.Port), nil
	}
	return 0, fmt.Errorf("service %q has no port %s", c.Service, port)
}

// namedPort is the number of a container's port.
func namedPort(pod *corev1.Pod, name string, protocol probe.Protocol) (int, error) {
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == name && protocolOf(p.Protocol) == protocol {
				return int(p.ContainerPort), nil
			}
		}
	}
	return 0, fmt.Errorf("no container has a port named %q", name)
}

// protocolOf is TCP where nothing is said.
func protocolOf(protocol corev1.Protocol) probe.Protocol {
	if protocol == "" {
		return probe.TCP
	}
	return probe.Protocol(protocol)
}

// names are what a pod may call itself, beside its name, and no other pod does.
func names(pod *corev1.Pod) []string {
	own := append([]string{string(pod.UID), pod.Spec.NodeName}, addressesOf(pod)...)
	for _, status := range pod.Status.ContainerStatuses {
		const short = 12 // characters, as programs write them
		if _, id, ok := strings.Cut(status.ContainerID, "://"); ok {
			own = append(own, id[:min(short, len(id))])
		}
	}
	return own
}
