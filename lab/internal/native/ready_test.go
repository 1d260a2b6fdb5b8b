package native

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/org/l4-canary/lab/internal/process"
)

func TestAwaitPassesOnceReady(t *testing.T) {
	t.Parallel()
	asked := 0
	err := await(t.Context(), func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 3, asked)
}

func TestAwaitShowsTheLogOfWhatDied(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "etcd.log")
	record, err := process.Start("etcd", log, []string{"/bin/sh", "-c", "echo address already in use; exit 1"})
	require.NoError(t, err)
	err = await(t.Context(), func(context.Context) error { return errors.New("refused") }, record)
	require.EqualError(t, err, "etcd has ended; the last lines of "+log+":\naddress already in use")
}

func TestAwaitEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := await(ctx, func(context.Context) error { return errors.New("refused") })
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	status := http.StatusServiceUnavailable
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("[-]etcd failed\n"))
	}))
	defer srv.Close()
	err := answers(srv.URL)(t.Context())
	require.EqualError(t, err, srv.URL+" answers 503 Service Unavailable: [-]etcd failed")
	status = http.StatusOK
	require.NoError(t, answers(srv.URL)(t.Context()))
	require.NoError(t, listening("tcp", srv.Listener.Addr().String())(t.Context()))
	require.ErrorContains(t, every(answers(srv.URL), listening("unix", "/nonexistent/socket"))(t.Context()), "/nonexistent/socket")
}

func TestNodesReady(t *testing.T) {
	t.Parallel()
	node := func(name string, status corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}},
		}
	}
	client := fake.NewClientset(node("a", corev1.ConditionTrue), node("b", corev1.ConditionFalse))
	require.NoError(t, nodesReady(client, 1)(t.Context()))
	require.EqualError(t, nodesReady(client, 2)(t.Context()), "1 of 2 nodes are ready")
	require.Error(t, podsAllowed(client)(t.Context()))
}

func TestRestrictedRights(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset()
	require.NoError(t, GrantRestricted(t.Context(), client))
	role, err := client.RbacV1().Roles("default").Get(t.Context(), "l4lab-restricted", metav1.GetOptions{})
	require.NoError(t, err)
	for _, rule := range role.Rules {
		require.NotContains(t, rule.Verbs, "*")
		require.NotContains(t, rule.Resources, "*")
		require.NotContains(t, rule.Resources, "secrets")
	}
	binding, err := client.RbacV1().RoleBindings("default").Get(t.Context(), "l4lab-restricted", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "restricted", binding.Subjects[0].Name)
}
