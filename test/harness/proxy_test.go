//go:build e2e

package harness

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/org/l4-canary/test/tally"
)

const podList = `{"kind":"PodList","apiVersion":"v1","items":[]}`

// apiServer answers each request with as much as it can foresee, and knows one user.
func apiServer(t *testing.T) (*httptest.Server, *rest.Config) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Header.Get("Authorization") != "Bearer of the lab":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Query().Has("watch"):
			_, _ = fmt.Fprint(w, `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}}`+"\n")
		case r.Method == http.MethodPatch:
			w.WriteHeader(http.StatusConflict)
		default:
			_, _ = fmt.Fprint(w, podList)
		}
	}))
	t.Cleanup(server.Close)
	return server, &rest.Config{Host: server.URL, BearerToken: "of the lab"}
}

// clientOf is a client that has nothing but a kubeconfig.
func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

// TestTallyCounts sends a client's requests through it.
func TestTallyCounts(t *testing.T) {
	t.Parallel()
	_, config := apiServer(t)
	counted, kubeconfig := NewTally(t, config)
	own, err := clientcmd.LoadFromFile(kubeconfig)
	require.NoError(t, err)
	require.NotEmpty(t, own.AuthInfos["proxy"].Token, "else kubectl asks for a password")
	client := clientOf(t, kubeconfig)
	_, err = client.CoreV1().Pods("game").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	events, err := client.CoreV1().Pods("game").Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, "ADDED", string((<-events.ResultChan()).Type), "a watch streams through it")
	patch := []byte(`{"spec":{"replicas":3}}`)
	_, err = client.AppsV1().Deployments("game").Patch(t.Context(), "lobby", types.MergePatchType, patch,
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, "scale")
	require.Error(t, err)
	events.Stop()

	kinds := tally.KindsOf(counted.Calls())
	require.Positive(t, kinds["watch pods"].Bytes)
	kinds["watch pods"] = tally.Amount{Calls: kinds["watch pods"].Calls}
	require.Equal(t, tally.Kinds{
		"list pods": {Calls: 1, Bytes: len(podList)}, "watch pods": {Calls: 1}, "dry run of patch deployments/scale": {Calls: 1, Bytes: len(patch)},
	}, kinds)
}

// TestProxyCuts: a handler has the last word, and a call that gets no answer has none.
func TestProxyCuts(t *testing.T) {
	t.Parallel()
	server, config := apiServer(t)
	refused := false
	proxy := NewProxy(t, config, func(passing http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refused {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			passing.ServeHTTP(w, r)
		})
	})
	client := clientOf(t, proxy.Kubeconfig)
	list := func() error {
		_, err := client.CoreV1().Pods("game").List(t.Context(), metav1.ListOptions{})
		return err
	}
	require.NoError(t, list())
	refused = true
	require.True(t, apierrors.IsForbidden(list()))
	refused = false
	proxy.Cut()
	require.NoError(t, list(), "it listens on")
	server.Close()
	own, err := clientcmd.BuildConfigFromFlags("", proxy.Kubeconfig)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, own.Host+"/version", nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(r) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, io.EOF)
}
