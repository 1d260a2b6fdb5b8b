package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/klog/v2"
)

// FieldManager owns the fields that the tool applies.
const FieldManager = "l4-canary"

// Quiet keeps the client library from logging to the process's stderr: what goes wrong comes
// back as an error, and a line of its own passes by what takes secrets out of ours.
func Quiet() { klog.SetSlogLogger(slog.New(slog.DiscardHandler)) }

// Client talks to one cluster.
type Client struct {
	Typed   kubernetes.Interface
	Dynamic dynamic.Interface
	Mapper  meta.RESTMapper

	config *rest.Config // to talk to pods through the API server; nil: not that way

	// Say hears when the API server fails a request that is sent again, and when it answers
	// after that; set it before the first request. nil: nobody hears.
	Say func(message string, args ...any)

	held  atomic.Pointer[Lease] // without which nothing is written; nil before one is acquired
	reach reach
}

// NewClient makes a client that identifies itself as userAgent.
func NewClient(config *rest.Config, userAgent string) (*Client, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = userAgent
	// No limit of our own: the default, 5 a second, is meant for controllers that run for
	// ever. A rollout makes a few dozen requests and waits for each, but for pods that are
	// parked together, which must not wait for each other; how many of those go abreast is
	// bounded there. An API server that has too much to do says when to come again.
	config.QPS = -1
	// What is watched comes as protobuf, a fraction of JSON in bytes and in work.
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client := &Client{config: rest.CopyConfig(config)}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return insistence{sense{patience{fence{next, &client.held}}}, &client.reach, client.say}
	})
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a Kubernetes client: %w", err)
	}
	client.Typed, client.Dynamic = typed, dyn
	client.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(typed.Discovery()))
	return client, nil
}

// say tells whoever listens.
func (c *Client) say(message string, args ...any) {
	if c.Say != nil {
		c.Say(message, args...)
	}
}

// Live is what is in a namespace before the rollout.
type Live struct {
	Version     string          // of the API server, such as v1.34.4
	Service     *corev1.Service // nil if there is none of that name
	Deployments []appsv1.Deployment

	// ProxyReplaced reports that Cilium does kube-proxy's work. It is false where
	// that may not be read, and ProxyUnknown true.
	ProxyReplaced, ProxyUnknown bool
}

// Look reads the Service and all Deployments of the namespace.
func (c *Client) Look(ctx context.Context, namespace, service string) (*Live, error) {
	version, err := c.version(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking the API server for its version: %w", err)
	}
	live := &Live{Version: version}
	live.Service, err = c.Typed.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		live.Service, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading service %q: %w", service, err)
	}
	list, err := c.Typed.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing deployments in namespace %q: %w", namespace, err)
	}
	live.Deployments = list.Items
	live.ProxyReplaced, live.ProxyUnknown = c.proxyReplaced(ctx)
	return live, nil
}

// version is the API server's, such as v1.34.4. client-go's own call knows no
// context, so one that is cancelled is left to itself.
func (c *Client) version(ctx context.Context) (string, error) {
	type answer struct {
		version string
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		info, err := c.Typed.Discovery().ServerVersion()
		if apierrors.IsForbidden(err) { // of which client-go keeps no words
			err = fmt.Errorf("the credentials may not even do that: %w", err)
		}
		if err != nil {
			answered <- answer{err: err}
			return
		}
		if info.GitVersion == "" {
			answered <- answer{err: fmt.Errorf("%w: it names no version", ErrNonsense)}
			return
		}
		answered <- answer{version: info.GitVersion}
	}()
	select {
	case a := <-answered:
		return a.version, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// OnlyBalancer is the only LoadBalancer Service of a namespace.
func (c *Client) OnlyBalancer(ctx context.Context, namespace string) (string, error) {
	list, err := c.Typed.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("listing services in namespace %q: %w", namespace, err)
	}
	var names []string
	for _, service := range list.Items {
		if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
			names = append(names, service.Name)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no service of namespace %q is of type LoadBalancer: write another namespace, or a service in input \"service\" and its address in input \"address\"", namespace)
	}
	if len(names) != 1 {
		return "", fmt.Errorf("%d services of type LoadBalancer in namespace %q: name one in input \"service\" (%s)", len(names), namespace, strings.Join(sorted(names), ", "))
	}
	return names[0], nil
}

// proxyReplaced looks at Cilium's settings, if there are any and they may be read,
// https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/
func (c *Client) proxyReplaced(ctx context.Context) (replaced, unknown bool) {
	config, err := c.Typed.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "cilium-config", metav1.GetOptions{})
	if err != nil {
		return false, !apierrors.IsNotFound(err)
	}
	switch config.Data["kube-proxy-replacement"] {
	case "true", "strict":
		return true, false
	}
	return false, false
}

// readable lists one of everything that a rollout watches: informers would retry
// for ever what the API server forbids.
func (c *Client) readable(ctx context.Context, namespace string) error {
	one := metav1.ListOptions{Limit: 1}
	for _, kind := range []struct {
		name string
		list func() error
	}{
		{"services", func() error { _, err := c.Typed.CoreV1().Services(namespace).List(ctx, one); return err }},
		{"deployments", func() error { _, err := c.Typed.AppsV1().Deployments(namespace).List(ctx, one); return err }},
		{"replicasets", func() error { _, err := c.Typed.AppsV1().ReplicaSets(namespace).List(ctx, one); return err }},
		{"pods", func() error { _, err := c.Typed.CoreV1().Pods(namespace).List(ctx, one); return err }},
		{"endpointslices", func() error { _, err := c.Typed.DiscoveryV1().EndpointSlices(namespace).List(ctx, one); return err }},
	} {
		if err := kind.list(); err != nil {
			return fmt.Errorf("listing %s in namespace %q: %w", kind.name, namespace, err)
		}
	}
	return nil
}

// Unreachable reports whether the API server could not be talked to at all, answered
// nonsense, or that it cannot work: a status of 500 and above, or "too many requests".
func Unreachable(err error) bool {
	_, isURL := errors.AsType[*url.Error](err)
	_, isNet := errors.AsType[net.Error](err)
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		return status.ErrStatus.Code >= http.StatusInternalServerError || status.ErrStatus.Code == http.StatusTooManyRequests
	}
	return isURL || isNet || errors.Is(err, ErrNonsense)
}

// Forbidden reports whether the API server refused the credentials.
func Forbidden(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// sorted is slices.Sort in an expression.
func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
