package kube

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// forwarder is an API server that forwards to pods which answer as told.
type forwarder struct {
	mu      sync.Mutex
	paths   []string
	ports   []string
	refuse  bool   // the node cannot connect to the pod
	forbids bool   // the credentials may not
	answer  string // of the pod
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.paths = append(f.paths, r.Method+" "+r.URL.Path)
	f.mu.Unlock()
	if f.forbids || r.Method != http.MethodPost { // one from before WebSockets
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	w.Header().Set(httpstream.HeaderProtocolVersion, "portforward.k8s.io")
	failing := map[string]httpstream.Stream{}
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
		if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			failing[id] = s
			return nil
		}
		go f.serve(s, failing[id])
		return nil
	})
	if connection != nil {
		<-connection.CloseChan()
	}
}

// serve is one connection to the pod.
func (f *forwarder) serve(data, complaints httpstream.Stream) {
	f.mu.Lock()
	f.ports = append(f.ports, data.Headers().Get(corev1.PortHeader))
	f.mu.Unlock()
	if f.refuse {
		_, _ = io.WriteString(complaints, "dial tcp4 127.0.0.1:8080: connect: connection refused")
	} else {
		_, _ = io.WriteString(data, f.answer)
	}
	_ = complaints.Close()
	_ = data.Close()
}

// reach is a cluster whose pods can be asked through that API server.
func (f *forwarder) reach(t *testing.T, objects ...runtime.Object) *Cluster {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client := &Client{Typed: fake.NewClientset(objects...), config: &rest.Config{Host: server.URL}}
	cluster, err := client.watch(t.Context(), Target{Namespace: namespace, Service: "lobby", Stable: "old", Canary: "new"}, resync)
	require.NoError(t, err)
	_, err = cluster.Next(t.Context(), 0)
	require.NoError(t, err)
	return cluster
}

// onPort is a Service with one port.
func onPort(port int32, protocol corev1.Protocol, target intstr.IntOrString) *corev1.Service {
	s := service(corev1.IPv4Protocol)
	s.Spec.Ports = []corev1.ServicePort{{Port: port, Protocol: protocol, TargetPort: target}}
	return s
}

func tcpPort(t *testing.T, number uint16) probe.Port {
	t.Helper()
	exchange, err := probe.Preset("tcp")
	require.NoError(t, err)
	return probe.Port{Number: number, Protocol: probe.TCP, Exchange: exchange}
}

func TestAskForwards(t *testing.T) {
	t.Parallel()
	named := func(p *corev1.Pod) {
		p.Spec = corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "game", ContainerPort: 7777}}}}}
		p.Status.PodIP, p.Status.PodIPs = "10.244.0.7", []corev1.PodIP{{IP: "10.244.0.7"}, {IP: "fd00::7"}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: "containerd://0123456789abcdef"}}
	}
	f := &forwarder{answer: "1.9.0 new-a\n"}
	c := f.reach(t, onPort(80, "", intstr.FromString("game")), pod("new-a", "new", named))
	heard, err := c.Ask(t.Context(), rollout.Question{Pod: "new-a", Port: tcpPort(t, 80), Address: "192.0.2.7", Times: 3, Over: 3 * time.Millisecond})
	require.NoError(t, err)
	require.Len(t, heard, 3)
	for _, h := range heard {
		require.Equal(t, "new-a", h.Pod)
		require.Equal(t, "1.9.0 new-a\n", string(h.Answer))
		for _, name := range []string{"node-1", "10.244.0.7", "fd00::7", "0123456789ab", "new-a"} {
			require.Contains(t, h.Own, name)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Equal(t, []string{"7777", "7777", "7777"}, f.ports)
	require.Equal(t, "POST /api/v1/namespaces/game/pods/new-a/portforward", f.paths[len(f.paths)-1])
}

func TestAskSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	objects := []runtime.Object{onPort(80, "", intstr.FromString("game")), pod("new-a", "new")}
	question := rollout.Question{Pod: "new-a", Port: tcpPort(t, 80), Address: "192.0.2.7", Times: 8}

	_, err := (&forwarder{}).reach(t, objects...).Ask(t.Context(), question)
	require.EqualError(t, err, `asking pod "new-a": no container has a port named "game"`)

	objects[0] = onPort(80, "", intstr.FromInt32(8080))
	heard, err := (&forwarder{refuse: true}).reach(t, objects...).Ask(t.Context(), question)
	require.Empty(t, heard)
	require.EqualError(t, err, `pod "new-a", asked directly, failed 2 of 2 times: port 80/TCP: dial tcp4 127.0.0.1:8080: connect: connection refused`)

	_, err = (&forwarder{forbids: true}).reach(t, objects...).Ask(t.Context(), question)
	require.ErrorContains(t, err, "forwarding port 8080 through the API server: ")
	require.ErrorContains(t, err, "the pod has no address")

	question.Pod = "gone"
	_, err = (&forwarder{}).reach(t, objects...).Ask(t.Context(), question)
	require.ErrorContains(t, err, `reading pod "gone"`)
	question.Pod, question.Port.Number = "new-a", 81
	_, err = (&forwarder{}).reach(t, objects...).Ask(t.Context(), question)
	require.ErrorContains(t, err, `service "lobby" has no port 81/TCP`)
}

// TestAskReachesPods has an API server that forwards nothing, and UDP, which none does.
func TestAskReachesPods(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, failed := listener.Accept()
			if failed != nil {
				return
			}
			_, _ = io.WriteString(conn, "1.8.2 old-a\n")
			_ = conn.Close()
		}
	}()
	number := int32(netip.MustParseAddrPort(listener.Addr().String()).Port())
	here := func(p *corev1.Pod) { p.Status.PodIP = "127.0.0.1" }
	f := &forwarder{forbids: true}
	c := f.reach(t, onPort(80, corev1.ProtocolTCP, intstr.FromInt32(number)), pod("old-a", "old", here))
	heard, err := c.Ask(t.Context(), rollout.Question{Pod: "old-a", Port: tcpPort(t, 80), Address: "192.0.2.7", Times: 1})
	require.NoError(t, err)
	require.Equal(t, "1.8.2 old-a\n", string(heard[0].Answer))

	packets, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = packets.Close() }() // ends the loop
	go func() {
		buffer := make([]byte, 64)
		for {
			n, from, failed := packets.ReadFrom(buffer)
			if failed != nil {
				return
			}
			_, _ = packets.WriteTo([]byte("got "+string(buffer[:n])), from)
		}
	}()
	number = int32(netip.MustParseAddrPort(packets.LocalAddr().String()).Port())
	f = &forwarder{}
	c = f.reach(t, onPort(53, corev1.ProtocolUDP, intstr.FromInt32(number)), pod("old-a", "old", here))
	exchange, err := probe.Preset("udp")
	require.NoError(t, err)
	heard, err = c.Ask(t.Context(), rollout.Question{
		Pod: "old-a", Port: probe.Port{Number: 53, Protocol: probe.UDP, Exchange: exchange}, Address: "192.0.2.7", Times: 1,
	})
	require.NoError(t, err)
	require.Equal(t, "got l4-canary\n", string(heard[0].Answer))
	require.Empty(t, f.paths)
}
