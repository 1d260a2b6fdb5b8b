//go:build e2e

package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Conversation is an established flow with one pod.
type Conversation struct {
	Pod string

	conn      net.Conn
	reader    *bufio.Reader
	datagrams bool
}

// Converse opens a conversation with the workload, which names the pod.
func Converse(ctx context.Context, network *Network, protocol, address string) (*Conversation, error) {
	conn, err := open(ctx, network, protocol, address)
	if err != nil {
		return nil, err
	}
	c := &Conversation{conn: conn, reader: bufio.NewReader(conn), datagrams: protocol == "udp"}
	line, err := c.greeting()
	if c.Pod = PodOf(line); err == nil && c.Pod == "" {
		err = fmt.Errorf("%q names no pod", line)
	}
	if err != nil {
		conn.Close()
		return nil, c.explain(ctx, err)
	}
	return c, nil
}

// Close ends it.
func (c *Conversation) Close() { c.conn.Close() }

func open(ctx context.Context, network *Network, protocol, address string) (net.Conn, error) {
	if protocol == "tcp" {
		return dialFrom(ctx, network, address)
	}
	return network.dial(ctx, net.Dialer{}, protocol, address)
}

// explain tells datagrams apart that a node sent to no pod, as dial does for connections.
func (c *Conversation) explain(ctx context.Context, err error) error {
	timeout, ok := errors.AsType[net.Error](err)
	local, isUDP := c.conn.LocalAddr().(*net.UDPAddr)
	if !ok || !timeout.Timeout() || !isUDP {
		return err
	}
	return explain(ctx, err, "udp", local.Port, c.conn.RemoteAddr().String())
}

// greeting is the first line of a server. A datagram may be lost: it is asked for three
// times.
func (c *Conversation) greeting() (line string, err error) {
	for range 3 {
		if err = c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return "", err
		}
		if c.datagrams {
			if _, err = c.conn.Write([]byte("hello\n")); err != nil {
				continue
			}
		}
		if line, err = c.reader.ReadString('\n'); err == nil || !c.datagrams {
			return line, err
		}
	}
	return line, err
}

// PodOf is the pod in a greeting: version, then pod.
func PodOf(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}

// Talk says something five times a second until the conversation ends, with an error, or
// ctx does. A datagram may be lost; three in a row are an end, and so is an answer of
// another pod. TCP sends again by itself, and a machine that is busy is no end either.
func (c *Conversation) Talk(ctx context.Context) error {
	defer c.conn.Close()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	wait := 10 * time.Second
	if c.datagrams {
		wait = time.Second
	}
	for missed := 0; tick(ctx, ticker); {
		err := c.say(wait)
		switch {
		case err == nil:
			missed = 0
		case c.datagrams && missed < 2 && !errors.Is(err, errOtherPod):
			missed++
		default:
			return err
		}
	}
	return nil
}

var errOtherPod = errors.New("another pod answers")

// say sends one line and reads the answer.
func (c *Conversation) say(wait time.Duration) error {
	_ = c.conn.SetDeadline(time.Now().Add(wait))
	if _, err := fmt.Fprintln(c.conn, "still there?"); err != nil {
		return err
	}
	line, err := c.reader.ReadString('\n')
	if err == nil && c.datagrams && PodOf(line) != c.Pod {
		err = fmt.Errorf("%w: %s", errOtherPod, PodOf(line))
	}
	return err
}

// Departures are when pods of a namespace were first seen to leave: parked, or being
// deleted.
type Departures struct {
	mu sync.Mutex
	at map[string]time.Time
}

// WatchDepartures writes them down until the test ends.
func WatchDepartures(t *testing.T, client kubernetes.Interface, namespace string) *Departures {
	t.Helper()
	d := &Departures{at: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(t.Context())
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, object any) {
		pod := object.(*corev1.Pod)
		d.mu.Lock()
		defer d.mu.Unlock()
		if _, known := d.at[pod.Name]; !known && (Parked(pod) || pod.DeletionTimestamp != nil) {
			d.at[pod.Name] = time.Now()
		}
	}})
	require.NoError(t, err)
	factory.Start(ctx.Done())
	require.True(t, cache.WaitForCacheSync(ctx.Done(), informer.HasSynced))
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	return d
}

// Of is when a pod began to leave, if it has.
func (d *Departures) Of(pod string) (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, leaves := d.at[pod]
	return at, leaves
}

// Sparing is how much less than a drain may pass between two watchers' clocks.
const Sparing = 200 * time.Millisecond

// Spared reports whether a pod had begun to leave so long before a moment.
func (d *Departures) Spared(pod string, moment time.Time, drain time.Duration) bool {
	at, leaves := d.Of(pod)
	return leaves && moment.Sub(at) >= drain-Sparing
}
