package native

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// restrictedUser is the name of cluster.Restricted at the API server.
const restrictedUser = "restricted"

// restrictedRules are all that the restricted user may do, in namespace default.
func restrictedRules() []rbacv1.PolicyRule {
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	rule := func(group string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}
	}
	return []rbacv1.PolicyRule{
		rule("apps", "deployments", "deployments/scale", "replicasets"),
		rule("", "pods", "services", "events"),
		rule("discovery.k8s.io", "endpointslices"),
		rule("coordination.k8s.io", "leases"),
		rule("events.k8s.io", "events"),
	}
}

// GrantRestricted gives the user cluster.Restricted its rights, through an admin's
// client.
func GrantRestricted(ctx context.Context, client kubernetes.Interface) error {
	meta := metav1.ObjectMeta{Name: "l4lab-restricted", Namespace: "default"}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: restrictedRules()}
	if _, err := client.RbacV1().Roles(meta.Namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the restricted user's role: %w", err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: restrictedUser}},
	}
	if _, err := client.RbacV1().RoleBindings(meta.Namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("binding the restricted user's role: %w", err)
	}
	return nil
}
