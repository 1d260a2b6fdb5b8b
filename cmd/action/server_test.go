package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// secretToken authenticates to the API server of the scripts. It must never be
// printed.
const secretToken = "eyJhbGciOi-THE-SECRET-TOKEN"

// serverKey is where a script's API server is kept.
type serverKey struct{}

// apiServer answers reads as a cluster would, and remembers everything else.
type apiServer struct {
	kind  string
	alarm func(write bool) // is told of every request; nil: nobody is

	mu     sync.Mutex
	reads  int
	writes []string
}

// written are the requests that could have changed something. The server-side dry
// run of an apply changes nothing.
func (s *apiServer) written() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// asked is how often something was read.
func (s *apiServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// ServeHTTP implements http.Handler.
func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dryRun := r.Method == http.MethodPatch && r.URL.Query().Get("dryRun") == "All" &&
		r.Header.Get("Content-Type") == "application/apply-patch+yaml"
	review := strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews")
	read := r.Method == http.MethodGet || dryRun || review
	s.mu.Lock()
	if read {
		s.reads++
	} else {
		s.writes = append(s.writes, r.Method+" "+r.URL.String())
	}
	s.mu.Unlock()
	if s.alarm != nil {
		s.alarm(!read)
	}
	w.Header().Set("Content-Type", "application/json")
	if s.refuse(w, r) {
		return
	}
	switch {
	case dryRun:
		s.dryRun(w, r)
		return
	case review:
		s.review(w, r)
		return
	}
	answer, ok := s.answers()[r.URL.Path]
	switch {
	case !ok:
		status(w, http.StatusNotFound, "NotFound", r.URL.Path+" not found")
	case r.URL.Query().Get("watch") != "":
		<-r.Context().Done() // nothing ever changes
	default:
		_, _ = io.WriteString(w, answer)
	}
}

// refuse answers as a server that turns its callers down.
func (s *apiServer) refuse(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case s.kind == "echo" && r.URL.Path != "/version":
		status(w, http.StatusBadRequest, "BadRequest", "no such host behind this proxy; your request was Authorization: "+r.Header.Get("Authorization"))
	case s.kind == "unauthorized" || r.Header.Get("Authorization") != "Bearer "+secretToken:
		status(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	case s.kind == "forbidden" && r.URL.Path != "/version":
		status(w, http.StatusForbidden, "Forbidden",
			`services "nginx" is forbidden: User "ci" cannot get resource "services" in API group "" in the namespace "web"`)
	case s.kind == "half-forbidden" && strings.HasPrefix(r.URL.Path, "/apis/apps/"):
		status(w, http.StatusForbidden, "Forbidden",
			`deployments.apps is forbidden: User "ci" cannot list resource "deployments" in API group "apps" in the namespace "web"`)
	case s.kind == "no-pods" && strings.HasSuffix(r.URL.Path, "/pods"):
		status(w, http.StatusForbidden, "Forbidden",
			`pods is forbidden: User "ci" cannot list resource "pods" in API group "" in the namespace "web"`)
	case s.kind == "broken":
		status(w, http.StatusInternalServerError, "InternalError", "etcdserver: request timed out")
	case s.kind == "unavailable":
		status(w, http.StatusServiceUnavailable, "ServiceUnavailable", "the server is currently unable to handle the request")
	case s.kind == "no-cluster":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html><h1>502 Bad Gateway</h1></html>")
	default:
		return false
	}
	return true
}

// review says whether the caller may do something: a reader only reads.
func (s *apiServer) review(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Spec struct {
			ResourceAttributes struct{ Verb string }
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&review)
	verb := review.Spec.ResourceAttributes.Verb
	allowed := !strings.HasSuffix(s.kind, "reader") || verb == "get" || verb == "list" || verb == "watch"
	_, _ = fmt.Fprintf(w, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":%t}}`, allowed)
}

// dryRun answers an apply with what was applied, or with what admission says of
// images of nobody.
func (s *apiServer) dryRun(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if s.kind == "strict" && strings.HasSuffix(r.URL.Path, "/deployments/new-nginx") {
		status(w, http.StatusForbidden, "Forbidden", `admission webhook "images.example.com" denied the request: image has no digest`)
		return
	}
	_, _ = w.Write(body)
}

// status answers with a Status object, as every failure of an API server does.
func status(w http.ResponseWriter, code int, reason, message string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure",
		"message": message, "reason": reason, "code": code,
	})
}

// answers are the bodies of every path that is there.
func (s *apiServer) answers() map[string]string {
	answers := map[string]string{
		"/version": `{"major":"1","minor":"34","gitVersion":"v1.34.4","platform":"linux/amd64"}`,
		"/api":     `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}],
			"preferredVersion":{"groupVersion":"apps/v1","version":"v1"}},
			{"name":"autoscaling","versions":[{"groupVersion":"autoscaling/v2","version":"v2"}],"preferredVersion":{"groupVersion":"autoscaling/v2","version":"v2"}}]}`,
		"/api/v1": `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[
			{"name":"services","singularName":"service","namespaced":true,"kind":"Service","verbs":["get","list","patch","watch"]},
			{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get","list","watch"]}]}`,
		"/apis/apps/v1": `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"apps/v1","resources":[
			{"name":"deployments","singularName":"deployment","namespaced":true,"kind":"Deployment","verbs":["get","list","patch","watch"]}]}`,
		"/apis/autoscaling/v2": `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"autoscaling/v2","resources":[
			{"name":"horizontalpodautoscalers","singularName":"horizontalpodautoscaler","namespaced":true,"kind":"HorizontalPodAutoscaler","verbs":["get","list","patch"]}]}`,
		"/apis/apps/v1/namespaces/web/deployments":                deploymentList(),
		"/api/v1/namespaces/web/pods":                             emptyList("v1", "PodList"),
		"/apis/apps/v1/namespaces/web/replicasets":                emptyList("apps/v1", "ReplicaSetList"),
		"/apis/discovery.k8s.io/v1/namespaces/web/endpointslices": emptyList("discovery.k8s.io/v1", "EndpointSliceList"),
		"/api/v1/namespaces/web/services":                         emptyList("v1", "ServiceList"),

		scalersPath: scalerList(),
		"/apis/policy/v1/namespaces/web/poddisruptionbudgets":       emptyList("policy/v1", "PodDisruptionBudgetList"),
		"/apis/networking.k8s.io/v1/namespaces/web/networkpolicies": emptyList("networking.k8s.io/v1", "NetworkPolicyList"),
		"/api/v1/namespaces/web/resourcequotas":                     emptyList("v1", "ResourceQuotaList"),
		"/api/v1/namespaces/web/limitranges":                        emptyList("v1", "LimitRangeList"),
		"/apis/coordination.k8s.io/v1/namespaces/web/leases":        emptyList("coordination.k8s.io/v1", "LeaseList"),
	}
	s.addLease(answers)
	switch s.kind {
	case "serving", "strict", "reader":
		answers["/apis/apps/v1/namespaces/web/deployments"] = deploymentList(deployment("old-nginx", 10))
		answers["/api/v1/namespaces/web/services/nginx"] = service()
		answers["/api/v1/namespaces/web/services"] = `{"apiVersion":"v1","kind":"ServiceList","metadata":{"resourceVersion":"4711"},"items":[` + service() + `]}`
	case "scaled", "keda", "scaled-reader":
		answers["/apis/apps/v1/namespaces/web/deployments"] = deploymentList(deployment("old-nginx", 10))
		answers["/api/v1/namespaces/web/services/nginx"] = service()
		answers[scalersPath] = scalerList(scaler(s.kind == "keda"))
	case "paused":
		answers["/apis/apps/v1/namespaces/web/deployments"] = deploymentList(deployment("old-nginx", 5), deployment("new-nginx", 5))
		answers["/api/v1/namespaces/web/services/nginx"] = service()
		answers["/apis/coordination.k8s.io/v1/namespaces/web/leases/l4-canary-nginx"] = heldLease()
		answers[scalersPath] = scalerList(pausedScaler())
	case "swapped":
		answers["/apis/apps/v1/namespaces/web/deployments"] = deploymentList(deployment("old-nginx", 0), deployment("new-nginx", 10))
		answers["/api/v1/namespaces/web/services/nginx"] = service()
	case "both":
		answers["/apis/apps/v1/namespaces/web/deployments"] = deploymentList(deployment("old-nginx", 5), deployment("new-nginx", 5))
	case "crowded":
		answers["/apis/apps/v1/namespaces/web/deployments"] = deploymentList(deployment("old-nginx", 5), deployment("older-nginx", 2))
	}
	return answers
}

func emptyList(apiVersion, kind string) string {
	return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"resourceVersion":"4711"},"items":[]}`, apiVersion, kind)
}

func deploymentList(items ...string) string {
	return `{"apiVersion":"apps/v1","kind":"DeploymentList","metadata":{"resourceVersion":"4711"},"items":[` + strings.Join(items, ",") + `]}`
}

// deployment is the seed's, live with so many pods.
func deployment(name string, replicas int) string {
	return fmt.Sprintf(`{"metadata":{"name":%[1]q,"namespace":"web","uid":"uid-%[1]s","resourceVersion":"4700","generation":3},
		"spec":{"replicas":%[2]d,"selector":{"matchLabels":{"run":%[1]q}},"template":{"metadata":{"labels":{"run":%[1]q,"app":"nginx"}},
		"spec":{"containers":[{"name":%[1]q,"image":"registry.example.com/%[1]s:1","ports":[{"containerPort":80,"protocol":"TCP"}]}]}}},
		"status":{"observedGeneration":3,"replicas":%[2]d,"updatedReplicas":%[2]d,"readyReplicas":%[2]d,"availableReplicas":%[2]d}}`, name, replicas)
}

// service is the seed's, live with an address.
func service() string {
	return `{"apiVersion":"v1","kind":"Service","metadata":{"name":"nginx","namespace":"web","resourceVersion":"4600"},
		"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.7","ipFamilies":["IPv4"],"selector":{"app":"nginx"},
		"ports":[{"port":80,"protocol":"TCP","targetPort":80}]},
		"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"}]}}}`
}

// startCluster starts an API server for the rest of the script, and sets SERVER, CA (in base64),
// TOKEN and TEXT, the kubeconfig itself. "gone" is one that has stopped listening; "untrusted"
// one whose certificate nobody knows.
func startCluster(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cluster KIND")
	}
	api, ok := ts.Value(serverKey{}).(*apiServer)
	if !ok {
		ts.Fatalf("the script has no API server")
	}
	api.mu.Lock()
	api.kind, api.reads = args[0], 0
	api.mu.Unlock()
	server, authority, kubeconfig := api.start()
	if args[0] != "gone" {
		ts.Defer(func() {
			server.CloseClientConnections()
			server.Close()
		})
	}
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "cluster.yaml"), []byte(kubeconfig), 0o600))
	ts.Setenv("SERVER", server.URL)
	ts.Setenv("CA", authority)
	ts.Setenv("TOKEN", secretToken)
	ts.Setenv("TEXT", kubeconfig)
}

// start makes the API server listen, unless it is of kind "gone". The authority is that of its
// certificate, in base64; of kind "untrusted" the kubeconfig does not know it.
func (s *apiServer) start() (server *httptest.Server, authority, kubeconfig string) {
	server = httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS() // client-go sends no token without TLS
	if s.kind != "untrusted" {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
		authority = base64.StdEncoding.EncodeToString(pem.EncodeToMemory(block))
	}
	if s.kind == "gone" {
		server.Close()
	}
	return server, authority, fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: ci
clusters:
- name: lab
  cluster:
    server: %s
    certificate-authority-data: %q
contexts:
- name: ci
  context: {cluster: lab, user: ci, namespace: web}
users:
- name: ci
  user: {token: %s}
`, server.URL, authority, secretToken)
}

// read asserts that the API server was asked, so that "nothing was written" says
// something.
func read(ts *testscript.TestScript, neg bool, _ []string) {
	api, _ := ts.Value(serverKey{}).(*apiServer)
	if asked := api.asked(); (asked > 0) == neg {
		ts.Fatalf("the API server was asked %d times", asked)
	}
}

// startEndpoint starts a TCP server that answers as two versions would.
func startEndpoint(ts *testscript.TestScript, neg bool, args []string) {
	var percent int
	if neg || len(args) != 1 {
		ts.Fatalf("usage: endpoint PERCENT")
	}
	_, err := fmt.Sscan(args[0], &percent)
	ts.Check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives as long as the script
	ts.Check(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			conn, failed := listener.Accept()
			if failed != nil {
				return
			}
			// 37 and 100 have no common divisor: a hundred connections hold each
			// residue once, well mixed.
			greeting := "old\n"
			if n*37%100 < percent {
				greeting = "new\n"
			}
			_, _ = io.WriteString(conn, greeting)
			conn.Close()
		}
	}()
	ts.Defer(func() {
		listener.Close()
		<-done
	})
	_, port, err := net.SplitHostPort(listener.Addr().String())
	ts.Check(err)
	ts.Setenv("PORT", port)
}
