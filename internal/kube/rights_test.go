package kube

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestRoleIsLeast: of all that the package can ask of an API server the Role grants every bit, and
// it grants nothing that no line asks for; what only "probe-from: cluster" does is in its Role
// alone. The calls are read from the source, so that a new one needs no test of its own.
func TestRoleIsLeast(t *testing.T) {
	t.Parallel()
	asked := requests(t)
	require.Greater(t, len(asked), 30, "the calls of the typed client are found")
	for _, inside := range []bool{false, true} {
		var granted []string
		for _, right := range (&Client{}).AllRights(inside) {
			granted = append(granted, right.String())
		}
		missing, idle := held(asked, granted, inside)
		require.Empty(t, missing, "asked for and not granted")
		require.Empty(t, idle, "granted and never asked for")

		missing, idle = held(asked, without(granted, "patch pods"), inside)
		require.Equal(t, []string{"patch pods"}, missing)
		require.Empty(t, idle)
		missing, idle = held(asked, append(granted, "list secrets"), inside)
		require.Empty(t, missing)
		require.Equal(t, []string{"list secrets"}, idle)
	}
}

// request is a right that a call needs, and the file with the call.
type request struct{ right, file string }

// held holds what is asked for against what is granted, sorted.
func held(asked []request, granted []string, inside bool) (missing, idle []string) {
	needed := map[string]bool{}
	for _, r := range asked {
		if !optional(r.right) && (inside || !onlyInside(r.right)) {
			needed[r.right] = true
		}
	}
	for right := range needed {
		if !slices.Contains(granted, right) {
			missing = append(missing, right)
		}
	}
	for _, right := range granted {
		if !needed[right] {
			idle = append(idle, right)
		}
	}
	return sorted(missing), sorted(idle)
}

// onlyInside are the rights that take a prober in the cluster.
func onlyInside(right string) bool {
	return strings.HasSuffix(right, " jobs (batch)") || strings.HasSuffix(right, " secrets")
}

// optional are those that everybody has, or that no Role of the namespace can grant: without them
// a rollout says what it could not look at.
func optional(right string) bool {
	return slices.Contains([]string{
		"create selfsubjectaccessreviews (authorization.k8s.io)", // of everybody who is somebody
		"get configmaps", // cilium-config, of kube-system, and kube-root-ca.crt
		"get namespaces", // whether it is there yet
	}, right)
}

func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == one })
}

// requests are the calls of the package: of the typed client, of informers, and of what is built
// by hand.
func requests(t *testing.T) []request {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var found []request
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		c := calls{name: name, apis: map[string]string{}}
		ast.Inspect(file, c.visit)
		found = append(found, c.found...)
	}
	return append(found,
		// Applying is a patch of what may have to be made, apply.go; the manifests hold no more
		// kinds than these for certain.
		request{"patch services", "apply.go"}, request{"create services", "apply.go"},
		request{"patch deployments (apps)", "apply.go"}, request{"create deployments (apps)", "apply.go"},
		// By GET over WebSockets, by POST where a server is older than that, forward.go.
		request{"get pods/portforward", "forward.go"}, request{"create pods/portforward", "forward.go"},
	)
}

// calls are those of one file.
type calls struct {
	name  string
	apis  map[string]string // variables that hold the API of a resource
	found []request
}

// visit looks at an assignment such as api := c.Typed.AppsV1().Deployments(namespace), and at a
// call such as api.Get(…).
func (c *calls) visit(n ast.Node) bool {
	if assign, ok := n.(*ast.AssignStmt); ok && len(assign.Lhs) == 1 && len(assign.Rhs) == 1 {
		if name, ok := assign.Lhs[0].(*ast.Ident); ok {
			if resource := resourceOf(assign.Rhs[0]); resource != "" {
				c.apis[name.Name] = resource
			}
		}
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return true
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return true
	}
	resource := resourceOf(method.X)
	if name, ok := method.X.(*ast.Ident); ok && resource == "" {
		resource = c.apis[name.Name]
	}
	if resource == "" {
		return true
	}
	plain, group, _ := strings.Cut(resource, " ")
	switch verb := strings.ToLower(method.Sel.Name); verb {
	case "get", "list", "watch", "create", "update", "patch", "delete":
		if verb == "patch" && len(call.Args) == 6 { // the last is a subresource
			plain += "/" + strings.Trim(call.Args[5].(*ast.BasicLit).Value, `"`)
		}
		c.add(verb, plain, group)
	case "getlogs":
		c.add("get", plain+"/log", group)
	case "informer":
		c.add("list", plain, group)
		c.add("watch", plain, group)
	}
	return true
}

func (c *calls) add(verb, resource, group string) {
	right := Right{Verb: verb, Group: group, Resource: resource}
	c.found = append(c.found, request{right.String(), c.name})
}

// resourceOf is the resource and its group that an expression such as c.Typed.AppsV1().Deployments(x)
// or factory.Apps().V1().Deployments() stands for; empty for all others.
func resourceOf(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return ""
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	version, ok := method.X.(*ast.CallExpr)
	if !ok {
		return ""
	}
	api, ok := version.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	name := api.Sel.Name
	if inner, nested := api.X.(*ast.CallExpr); nested && name == "V1" {
		name = inner.Fun.(*ast.SelectorExpr).Sel.Name + name
	}
	group, ok := map[string]string{
		"CoreV1": "", "AppsV1": "apps", "BatchV1": "batch", "AutoscalingV2": "autoscaling", "PolicyV1": "policy", "EventsV1": "events.k8s.io",
		"CoordinationV1": "coordination.k8s.io", "DiscoveryV1": "discovery.k8s.io", "NetworkingV1": "networking.k8s.io", "AuthorizationV1": "authorization.k8s.io",
	}[name]
	if !ok {
		return ""
	}
	return strings.ToLower(method.Sel.Name) + " " + group
}

// TestClusterRights: of each kind outside of namespaces once.
func TestClusterRights(t *testing.T) {
	t.Parallel()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	var target Target
	for _, kind := range []string{"ConfigMap", "Namespace", "Namespace", "Unknown"} {
		target.Surroundings = append(target.Surroundings, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}})
	}
	require.Equal(t, []Right{{"get", "", "namespaces", ""}, {"create", "", "namespaces", ""}, {"patch", "", "namespaces", ""}},
		(&Client{Mapper: mapper}).ClusterRights(target))
}
