package kube

import (
	"testing"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
)

// TestMarks: rollouts of other Services that are at work, or unfinished, on one of our
// Deployments.
func TestMarks(t *testing.T) {
	t.Parallel()
	const of = `{"schemaVersion":1,"stable":"blue","canary":"red","phase":"`
	held := func(holder string) *string { return &holder }
	for name, row := range map[string]struct {
		lease  string
		holder *string
		state  string
		want   []preflight.Mark
	}{
		"at work":          {"l4-canary-hall", held("x"), of + `promoted"}`, []preflight.Mark{{Deployment: "blue", Service: "hall", Lease: "l4-canary-hall", Holder: "job 7"}}},
		"unfinished":       {"l4-canary-hall", nil, of + `held"}`, []preflight.Mark{{Deployment: "blue", Service: "hall", Lease: "l4-canary-hall"}}},
		"ended":            {"l4-canary-hall", nil, of + `promoted"}`, nil},
		"our own":          {"l4-canary-lobby", held("x"), of + `stages"}`, nil},
		"not a Service's":  {"leader", held("x"), of + `stages"}`, nil},
		"no state":         {"l4-canary-hall", held("x"), "", nil},
		"a later version":  {"l4-canary-hall", held("x"), `{"schemaVersion":99,"stable":"blue"}`, nil},
		"other Deployment": {"l4-canary-hall", held("x"), `{"schemaVersion":1,"stable":"a","canary":"b","phase":"stages"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lease := &coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Name: row.lease, Namespace: namespace, Annotations: map[string]string{
					holderAnnotation: `{"run":"job 7"}`, stateAnnotation: row.state,
				}},
				Spec: coordinationv1.LeaseSpec{HolderIdentity: row.holder},
			}
			if row.state == "" {
				delete(lease.Annotations, stateAnnotation)
			}
			facts := lobbyFacts(t)
			facts.Roles = manifest.Roles{Stable: manifest.Role{Name: "blue"}, Canary: manifest.Role{Name: "green"}}
			require.NoError(t, (&Client{Typed: fake.NewClientset(lease)}).Survey(t.Context(), namespace, &facts))
			for i := range row.want {
				if row.want[i].Holder != "" {
					row.want[i].Holder = recordOf(lease).Holder.String()
				}
			}
			require.Equal(t, row.want, facts.Marks)
		})
	}
}
