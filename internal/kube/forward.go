package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// forward is the way to a pod's port through the API server. client-go's PortForwarder
// would put a listener of this machine before it, where a pod that refuses looks like
// one that hangs up; each connection here is a stream of the forwarding itself,
// https://github.com/kubernetes/client-go/blob/v0.37.2/tools/portforward/portforward.go#L331
type forward struct {
	connection httpstream.Connection
	port       int
	requests   atomic.Int64
}

// errNoConfig says that the API server is not reached over a network.
var errNoConfig = errors.New("there is no connection to it")

// forwarding is how to begin. API servers since 1.31 take it over WebSockets; older ones,
// and credentials that may create and not get, over SPDY alone.
func (c *Client) forwarding(namespace, pod string) (httpstream.Dialer, error) {
	if c.config == nil {
		return nil, errNoConfig
	}
	server, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return nil, err
	}
	url := server.JoinPath("api", "v1", "namespaces", namespace, "pods", pod, "portforward")
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	tunnel, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, c.config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(tunnel, old, func(error) bool { return true }), nil
}

func (c *Cluster) forward(ctx context.Context, pod string, port int) (*forward, error) {
	dialer, err := c.forwarding(c.Namespace, pod)
	if err != nil {
		return nil, err
	}
	type dialed struct {
		connection httpstream.Connection
		err        error
	}
	done := make(chan dialed, 1)
	go func() {
		connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		done <- dialed{connection, err}
	}()
	select {
	case d := <-done:
		if d.err != nil {
			return nil, d.err
		}
		return &forward{connection: d.connection, port: port}, nil
	case <-ctx.Done(): // client-go's own call knows no context
		go func() {
			if d := <-done; d.err == nil {
				_ = d.connection.Close() // nobody wants it any more
			}
		}()
		return nil, ctx.Err()
	}
}

func (f *forward) close() { _ = f.connection.Close() } // every stream has been

// open makes one connection to the pod.
func (f *forward) open(context.Context) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(f.port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(f.requests.Add(1), 10))
	complaints, err := f.connection.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	_ = complaints.Close() // our half: we only listen
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := f.connection.CreateStream(headers)
	if err != nil {
		f.connection.RemoveStreams(complaints)
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	near, far := net.Pipe()
	s := &stream{Conn: near, complaint: make(chan string, 1)}
	s.drop = func() {
		_ = far.Close()
		_ = data.Reset() // what the pod still sends is not wanted
		f.connection.RemoveStreams(complaints, data)
	}
	go func() {
		text, _ := io.ReadAll(io.LimitReader(complaints, 1<<10))
		s.complaint <- string(text)
	}()
	go func() {
		_, _ = io.Copy(far, data) // however it ends, the pod says no more
		_ = far.Close()
	}()
	go func() {
		_, _ = io.Copy(data, far)
		_ = data.Close()
	}()
	return s, nil
}

// stream is one connection to a pod.
type stream struct {
	net.Conn
	complaint chan string
	drop      func()
}

// errForward is what the node says of a connection that it could not make.
type errForward string

func (e errForward) Error() string { return string(e) }

// Read tells the end of an answer from a connection that never came about.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	return n, s.explained(err)
}

// Write tells a pod that hung up from one that never was there.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	return n, s.explained(err)
}

// explained is an end in the node's words, if it has any.
func (s *stream) explained(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	select {
	case text := <-s.complaint:
		s.complaint <- text
		if text != "" {
			return errForward(text)
		}
	case <-time.After(time.Second): // it says nothing
	}
	return err
}

// SetDeadline and SetReadDeadline are no errors of a pod that hung up: Read and Write say
// so, and why.
func (s *stream) SetDeadline(t time.Time) error { return unlessClosed(s.Conn.SetDeadline(t)) }

// SetReadDeadline is as SetDeadline.
func (s *stream) SetReadDeadline(t time.Time) error { return unlessClosed(s.Conn.SetReadDeadline(t)) }

func unlessClosed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// Close ends it, whatever the pod does.
func (s *stream) Close() error {
	defer s.drop()
	return s.Conn.Close()
}
