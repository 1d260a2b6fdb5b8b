//go:build e2e

package harness

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestTallyCounts sends a client's requests through it to a server that answers each with
// as much as it can foresee.
func TestTallyCounts(t *testing.T) {
	t.Parallel()
	const list = `{"kind":"PodList","apiVersion":"v1","items":[]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Query().Has("watch"):
			_, _ = fmt.Fprint(w, `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}}`+"\n")
		case r.Method == http.MethodPatch:
			w.WriteHeader(http.StatusConflict)
		default:
			_, _ = fmt.Fprint(w, list)
		}
	}))
	t.Cleanup(server.Close)
	tally := NewTally(t, &rest.Config{Host: server.URL})
	config, err := clientcmd.BuildConfigFromFlags("", tally.Kubeconfig)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)

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

	calls := tally.Calls()
	require.Len(t, calls, 3)
	for _, call := range calls {
		require.Positive(t, call.Took)
		require.WithinDuration(t, time.Now(), call.Began, time.Minute)
	}
	require.Equal(t, "list pods 200", fmt.Sprint(calls[0].Verb, " ", calls[0].Resource, " ", calls[0].Status))
	require.EqualValues(t, len(list), calls[0].Received)
	require.Equal(t, "watch", calls[1].Verb)
	require.Positive(t, calls[1].Received)
	require.Equal(t, "patch deployments/scale 409", fmt.Sprint(calls[2].Verb, " ", calls[2].Resource, " ", calls[2].Status))
	require.EqualValues(t, len(patch), calls[2].Sent)
	require.True(t, calls[2].DryRun)
}

func TestDescribeCall(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]string{
		"GET /api/v1/namespaces/game/pods":                                       "list pods",
		"GET /api/v1/namespaces/game/pods?limit=1":                               "list pods",
		"GET /api/v1/namespaces/game/pods?watch=true":                            "watch pods",
		"GET /api/v1/namespaces/game/pods/a":                                     "get pods",
		"PATCH /api/v1/namespaces/game/pods/a":                                   "patch pods",
		"DELETE /api/v1/namespaces/game/pods/a":                                  "delete pods",
		"DELETE /api/v1/namespaces/game/pods":                                    "deletecollection pods",
		"GET /api/v1/namespaces/game/pods/a/log":                                 "get pods/log",
		"PATCH /apis/apps/v1/namespaces/game/deployments/lobby/scale":            "patch deployments/scale",
		"PUT /apis/coordination.k8s.io/v1/namespaces/game/leases/l4-canary":      "update leases",
		"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":            "create selfsubjectaccessreviews",
		"GET /api/v1/namespaces":                                                 "list namespaces",
		"GET /api/v1/namespaces/game":                                            "get namespaces",
		"GET /api/v1/nodes":                                                      "list nodes",
		"GET /version":                                                           "get /version",
		"GET /apis":                                                              "get /apis",
		"GET /apis/apps/v1":                                                      "get /apis/apps/v1",
		"GET /openapi/v3":                                                        "get /openapi/v3",
		"POST /apis/apps/v1/namespaces/game/deployments?dryRun=All&fieldManager": "create deployments",
	} {
		var method, target string
		_, err := fmt.Sscan(request, &method, &target)
		require.NoError(t, err)
		call := describeCall(httptest.NewRequestWithContext(t.Context(), method, target, nil))
		require.Equal(t, want, call.Verb+" "+call.Resource, request)
	}
}
