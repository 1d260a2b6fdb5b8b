package tally

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKindOfARequest(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]string{
		"GET /api/v1/namespaces/game/pods":                                       "list pods",
		"GET /api/v1/namespaces/game/pods?limit=1":                               "list pods",
		"GET /api/v1/namespaces/game/pods?watch=false":                           "list pods",
		"GET /api/v1/namespaces/game/pods?watch=true&resourceVersion=7":          "watch pods",
		"GET /api/v1/namespaces/game/pods?watch=1":                               "watch pods",
		"GET /api/v1/namespaces/game/pods/a":                                     "get pods",
		"PATCH /api/v1/namespaces/game/pods/a":                                   "patch pods",
		"DELETE /api/v1/namespaces/game/pods/a":                                  "delete pods",
		"DELETE /api/v1/namespaces/game/pods":                                    "deletecollection pods",
		"GET /api/v1/namespaces/game/pods/a/log":                                 "get pods/log",
		"PATCH /apis/apps/v1/namespaces/game/deployments/lobby/scale":            "patch deployments/scale",
		"PATCH /api/v1/namespaces/game/services/lobby?force=true&dryRun=All":     "dry run of patch services",
		"PUT /apis/coordination.k8s.io/v1/namespaces/game/leases/l4-canary":      "update leases",
		"POST /apis/coordination.k8s.io/v1/namespaces/game/leases":               "create leases",
		"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":            "create selfsubjectaccessreviews",
		"POST /apis/apps/v1/namespaces/game/deployments?dryRun=All&fieldManager": "dry run of create deployments",
		"GET /apis/apps/v1/deployments":                                          "list deployments",
		"GET /api/v1/namespaces":                                                 "list namespaces",
		"GET /api/v1/namespaces/game":                                            "get namespaces",
		"GET /api/v1/nodes":                                                      "list nodes",
		"GET /version":                                                           "get /version",
		"GET /apis":                                                              "get /apis",
		"GET /api/v1":                                                            "get /api/v1",
		"GET /apis/apps/v1":                                                      "get /apis/apps/v1",
		"GET /openapi/v3/apis/apps/v1?hash=1":                                    "get /openapi/v3/apis/apps/v1",
	} {
		var method, target string
		_, err := fmt.Sscan(request, &method, &target)
		require.NoError(t, err)
		require.Equal(t, want, describe(httptest.NewRequestWithContext(t.Context(), method, target, nil)).Kind(), request)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	list := Call{Verb: "list", Resource: "pods", Received: []Chunk{{Bytes: 30}, {Bytes: 7}}}
	patch := Call{Verb: "patch", Resource: "deployments/scale", Sent: 2}
	trial := Call{Verb: "patch", Resource: "pods", DryRun: true, Sent: 4, Received: []Chunk{{Bytes: 1}}}
	got := KindsOf([]Call{list, patch, trial, list})
	require.Equal(t, Kinds{"list pods": {2, 74}, "patch deployments/scale": {1, 2}, "dry run of patch pods": {1, 5}}, got)
	require.Equal(t, Amount{4, 81}, got.Sum())
	require.Equal(t, Amount{}, Kinds{}.Sum())
	require.Equal(t, []string{"get /version", "patch deployments/scale", "dry run of patch pods", "get pods", "list pods"},
		Names(got, Kinds{"list pods": {}, "get pods": {}, "get /version": {}}), "by resource, and each once")
}
