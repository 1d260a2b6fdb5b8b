package kube

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestErrorsOfTheCluster(t *testing.T) {
	t.Parallel()
	pods := schema.GroupResource{Resource: "pods"}
	rows := []struct {
		name                   string
		err                    error
		unreachable, forbidden bool
	}{
		{"none", nil, false, false},
		{"any", errors.New("any"), false, false},
		{"nobody listens", &url.Error{Op: "Get", URL: "https://192.0.2.1", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}, true, false},
		{"no such host", &net.DNSError{Err: "no such host", Name: "nowhere.invalid"}, true, false},
		{"401", apierrors.NewUnauthorized("no"), false, true},
		{"403", apierrors.NewForbidden(pods, "a", errors.New("no")), false, true},
		{"404", apierrors.NewNotFound(pods, "a"), false, false},
		{"409", apierrors.NewConflict(pods, "a", errors.New("changed")), false, false},
		{"429", apierrors.NewTooManyRequests("wait", 1), true, false},
		{"500", apierrors.NewInternalError(errors.New("etcd")), true, false},
		{"502 of a proxy", apierrors.NewGenericServerResponse(502, "get", pods, "a", "<html>", 0, true), true, false},
		{"503", apierrors.NewServiceUnavailable("later"), true, false},
		{"504", apierrors.NewTimeoutError("slow", 1), true, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := row.err
			if err != nil {
				err = fmt.Errorf("wrapped: %w", err)
			}
			require.Equal(t, row.unreachable, Unreachable(err))
			require.Equal(t, row.forbidden, Forbidden(err))
		})
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	client := &Client{Typed: fake.NewClientset(service(), deployment("old", 2), deployment("new", 0))}
	live, err := client.Look(t.Context(), namespace, "lobby")
	require.NoError(t, err)
	require.Len(t, live.Deployments, 2)
	object, ok := live.ServiceObject()
	require.True(t, ok)
	require.Equal(t, "Service", object.GetKind())
	roles := live.Roles()
	require.Equal(t, "Deployment", roles[0].Object.GetKind())
	require.Equal(t, map[string]string{"run": roles[0].Name, "app": "lobby"}, roles[0].Labels)

	live, err = client.Look(t.Context(), namespace, "apache")
	require.NoError(t, err, "a Service that is to be made is no error")
	_, ok = live.ServiceObject()
	require.False(t, ok)
}

// Informers would ask for ever.
func TestWatchRefusesWhatItMayNotRead(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"services", "deployments", "replicasets", "pods", "endpointslices"} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			typed := fake.NewClientset()
			typed.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no right"))
			})
			cluster, _, err := (&Client{Typed: typed}).Watch(t.Context(), Target{Namespace: namespace, Service: "lobby", Stable: "old", Canary: "new"})
			require.True(t, Forbidden(err), err)
			require.ErrorContains(t, err, resource)
			require.Nil(t, cluster)
		})
	}
}
