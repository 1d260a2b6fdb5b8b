package balancer

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// rig is a balancer at work on a fake API server, inside a bubble.
type rig struct {
	t      *testing.T
	client *fake.Clientset
	log    *journal
}

// bubble runs test in a synctest bubble with a balancer of the given pools on a
// cluster that has the given Services.
func bubble(t *testing.T, pools []string, services []*corev1.Service, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var objects []runtime.Object
		for _, svc := range services {
			objects = append(objects, svc)
		}
		r := &rig{t: t, client: fake.NewClientset(objects...), log: &journal{}}
		done := make(chan error, 1)
		go func() {
			log := slog.New(slog.NewTextHandler(r.log, nil))
			done <- newController(r.client, mustAllocator(t, pools...), log).run(t.Context())
		}()
		t.Cleanup(func() { require.NoError(t, <-done) }) // t.Context has ended by then
		r.settle()
		test(r)
	})
}

// settle waits until nothing moves; the wait is longer than every retry.
func (r *rig) settle() {
	r.t.Helper()
	synctest.Wait()
	select {
	case <-time.After(2 * lastRetry):
	case <-r.t.Context().Done():
	}
	synctest.Wait()
}

func (r *rig) create(svc *corev1.Service) {
	r.t.Helper()
	_, err := r.client.CoreV1().Services(svc.Namespace).Create(r.t.Context(), svc, metav1.CreateOptions{})
	require.NoError(r.t, err)
	r.settle()
}

func (r *rig) remove(name string) {
	r.t.Helper()
	require.NoError(r.t, r.client.CoreV1().Services("default").Delete(r.t.Context(), name, metav1.DeleteOptions{}))
	r.settle()
}

func (r *rig) change(name string, change func(*corev1.Service)) {
	r.t.Helper()
	services := r.client.CoreV1().Services("default")
	svc, err := services.Get(r.t.Context(), name, metav1.GetOptions{})
	require.NoError(r.t, err)
	change(svc)
	_, err = services.Update(r.t.Context(), svc, metav1.UpdateOptions{})
	require.NoError(r.t, err)
	r.settle()
}

// require asserts the addresses that a Service's status shows.
func (r *rig) require(name string, addrs ...string) {
	r.t.Helper()
	svc, err := r.client.CoreV1().Services("default").Get(r.t.Context(), name, metav1.GetOptions{})
	require.NoError(r.t, err)
	var shown []string
	for _, ingress := range svc.Status.LoadBalancer.Ingress {
		shown = append(shown, ingress.IP)
	}
	require.Equal(r.t, addrs, shown)
}

// patches counts what was written.
func (r *rig) patches() int {
	n := 0
	for _, action := range r.client.Actions() {
		if action.GetVerb() == "patch" {
			require.Equal(r.t, "status", action.GetSubresource())
			n++
		}
	}
	return n
}

// service is a Service of type LoadBalancer; the names' order is that of age.
func service(name string, shape ...func(*corev1.Service)) *corev1.Service {
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type:       corev1.ServiceTypeLoadBalancer,
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
		},
	}
	for _, f := range shape {
		f(svc)
	}
	return svc
}

func showing(addrs ...string) func(*corev1.Service) {
	return func(svc *corev1.Service) {
		for _, addr := range addrs {
			ingress := corev1.LoadBalancerIngress{IP: addr}
			svc.Status.LoadBalancer.Ingress = append(svc.Status.LoadBalancer.Ingress, ingress)
		}
	}
}

func requesting(addr string) func(*corev1.Service) {
	return func(svc *corev1.Service) { svc.Spec.LoadBalancerIP = addr }
}

func inFamilies(families ...corev1.IPFamily) func(*corev1.Service) {
	return func(svc *corev1.Service) { svc.Spec.IPFamilies = families }
}

func ofType(kind corev1.ServiceType) func(*corev1.Service) {
	return func(svc *corev1.Service) { svc.Spec.Type = kind }
}

func ofClass(class string) func(*corev1.Service) {
	return func(svc *corev1.Service) { svc.Spec.LoadBalancerClass = &class }
}

func TestEveryLoadBalancerServiceGetsAnAddress(t *testing.T) {
	t.Parallel()
	bubble(t, []string{"192.0.2.0/29"}, []*corev1.Service{service("a")}, func(r *rig) {
		r.require("a", "192.0.2.1")
		r.create(service("b"))
		r.require("b", "192.0.2.2")
		r.create(service("c", ofType(corev1.ServiceTypeClusterIP)))
		r.require("c")
		r.create(service("d", ofClass("example.com/other")))
		r.require("d")
		require.Equal(t, 2, r.patches())
	})
}

func TestOneAddressPerFamily(t *testing.T) {
	t.Parallel()
	pools := []string{"192.0.2.0/29", "2001:db8::/112"}
	both := inFamilies(corev1.IPv6Protocol, corev1.IPv4Protocol)
	bubble(t, pools, []*corev1.Service{service("dual", both)}, func(r *rig) {
		r.require("dual", "2001:db8::1", "192.0.2.1")
		r.create(service("six", inFamilies(corev1.IPv6Protocol)))
		r.require("six", "2001:db8::2")
		r.change("dual", inFamilies(corev1.IPv4Protocol))
		r.require("dual", "192.0.2.1")
		r.change("dual", inFamilies(corev1.IPv4Protocol, corev1.IPv6Protocol))
		r.require("dual", "192.0.2.1", "2001:db8::3")
	})
}

func TestAddressesOutliveARestart(t *testing.T) {
	t.Parallel()
	services := []*corev1.Service{
		service("a"), // is asked first, and must not get what the others have
		service("b", showing("192.0.2.1")),
		service("c", showing("192.0.2.1")), // a double from some earlier fault
		service("d", showing("203.0.113.9")),
	}
	bubble(t, []string{"192.0.2.0/29"}, services, func(r *rig) {
		r.require("b", "192.0.2.1")
		seen := map[string]bool{"192.0.2.1": true}
		for _, name := range []string{"a", "c", "d"} {
			svc, err := r.client.CoreV1().Services("default").Get(t.Context(), name, metav1.GetOptions{})
			require.NoError(t, err)
			require.Len(t, svc.Status.LoadBalancer.Ingress, 1)
			addr := svc.Status.LoadBalancer.Ingress[0].IP
			require.False(t, seen[addr], "%s has two Services", addr)
			seen[addr] = true
		}
		require.Equal(t, 3, r.patches(), "what was right is not written again")
	})
}

func TestAddressIsFreedWithItsService(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(r *rig)
	}{
		{"deleted", func(r *rig) { r.remove("a") }},
		{"of another type", func(r *rig) {
			r.change("a", ofType(corev1.ServiceTypeClusterIP))
			r.require("a")
		}},
		{"of another class", func(r *rig) {
			r.change("a", ofClass("example.com/other"))
			r.require("a")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, []string{"192.0.2.7/32"}, []*corev1.Service{service("a")}, func(r *rig) {
				r.require("a", "192.0.2.7")
				r.create(service("b"))
				r.require("b")
				require.Contains(t, r.log.String(), `msg="no address is free" service=default/b family=IPv4`)
				tc.end(r)
				r.require("b", "192.0.2.7")
			})
		})
	}
}

func TestTypeChangedWhileTheBalancerWasDown(t *testing.T) {
	t.Parallel()
	services := []*corev1.Service{
		service("a", ofType(corev1.ServiceTypeNodePort), showing("192.0.2.1")),
		service("b", ofClass("example.com/other"), showing("192.0.2.2")),
	}
	bubble(t, []string{"192.0.2.0/29"}, services, func(r *rig) {
		r.require("a")
		r.require("b", "192.0.2.2") // another's business
	})
}

func TestRequestedAddress(t *testing.T) {
	t.Parallel()
	bubble(t, []string{"192.0.2.0/29"}, []*corev1.Service{service("a", requesting("192.0.2.5"))}, func(r *rig) {
		r.require("a", "192.0.2.5")
		r.create(service("b", requesting("192.0.2.5")))
		r.require("b", "192.0.2.1")
		require.Contains(t, r.log.String(), `msg="requested address is not to be had" service=default/b address=192.0.2.5`)
		r.change("b", requesting("192.0.2.3"))
		r.require("b", "192.0.2.3")
		r.create(service("c", requesting("198.51.100.1")))
		r.require("c", "192.0.2.2")
		r.create(service("d", requesting("192.0.2.1")))
		r.require("d", "192.0.2.1") // which b has left
	})
}

func TestFailedPatchIsTriedAgain(t *testing.T) {
	t.Parallel()
	bubble(t, []string{"192.0.2.0/29"}, nil, func(r *rig) {
		failures := 3
		r.client.PrependReactor("patch", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
			if failures == 0 {
				return false, nil, nil
			}
			failures--
			return true, nil, errors.New("the server is busy")
		})
		r.create(service("a"))
		r.require("a", "192.0.2.1")
		require.Contains(t, r.log.String(), `patching the status of Service \"default/a\": the server is busy`)
	})
}

func TestRunReportsWhatIsWrong(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	err := Run(t.Context(), Options{Log: log})
	require.ErrorContains(t, err, "there is no pool of addresses")
	missing := filepath.Join(t.TempDir(), "kubeconfig")
	err = Run(t.Context(), Options{Kubeconfig: missing, Pools: prefixes("192.0.2.0/24"), Log: log})
	require.ErrorContains(t, err, "reading the balancer's kubeconfig")
}

func TestRunEndsWhileItWaitsForTheServer(t *testing.T) {
	t.Parallel()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`
clusters: [{name: lab, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: lab, context: {cluster: lab}}]
current-context: lab
`), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	log := slog.New(slog.DiscardHandler)
	require.NoError(t, Run(ctx, Options{Kubeconfig: kubeconfig, Pools: prefixes("192.0.2.0/24"), Log: log}))
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
