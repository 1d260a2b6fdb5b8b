//go:build e2e

package drill

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// call is one request of the program, as the drill names it. The same name comes
// back in every rollout of the same kind, so a kill point is a name and how often
// it has been seen: names of pods and figures that change are left out.
type call struct {
	name  string
	write bool // it changes something, if it is let through
	watch bool
}

// point is the n-th call of a name in one process, from 1.
type point struct {
	name string
	n    int
}

// String is what the table shows.
func (p point) String() string {
	if p.n == 1 {
		return p.name
	}
	return fmt.Sprintf("%s (%d)", p.name, p.n)
}

// namer gives requests their names. It remembers what the Lease said last: a
// renewal is a write that changes nothing else.
type namer struct{ lease string }

// name reads a request, whose body is given apart.
func (n *namer) name(r *http.Request, body []byte) call {
	object := object(r.URL.Path)
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") != "":
		return call{name: "watch " + object, watch: true}
	case r.Method == http.MethodGet:
		return call{name: "read " + object}
	case r.URL.Query().Get("dryRun") != "":
		return call{name: "dry run of " + object}
	case strings.HasPrefix(object, "selfsubject"):
		return call{name: "ask for " + object}
	case strings.HasPrefix(object, "leases"):
		return call{name: n.nameLease(r.Method, body), write: true}
	case strings.HasPrefix(object, "pods/"):
		return call{name: namePod(r.Method, body), write: true}
	}
	return call{name: nameOther(r, object, body), write: true}
}

// object is the last part of an API path, with the kind: "deployments/lobby/scale".
func object(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	return strings.Join(parts, "/")
}

// nameLease tells the writes of the Lease apart.
func (n *namer) nameLease(method string, body []byte) string {
	if method == http.MethodDelete {
		return "delete the Lease"
	}
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	lease, ok := decoded.(*coordinationv1.Lease)
	if err != nil || !ok {
		return "write the Lease, unreadable"
	}
	var state struct {
		Phase  string
		Passed float64
	}
	_ = json.Unmarshal([]byte(lease.Annotations["l4-canary.io/state"]), &state)
	said := fmt.Sprintf("%s, %g %% passed", state.Phase, state.Passed)
	if state.Phase == "" {
		said = "nothing"
	}
	before := n.lease
	n.lease = said
	switch {
	case lease.Spec.HolderIdentity == nil:
		return "Lease: released, says " + said
	case said == before:
		return "Lease: renewed"
	case method == http.MethodPost:
		return "Lease: created"
	case before == "":
		return "Lease: taken, says " + said
	}
	return "Lease: " + said
}

// namePod tells the writes of pods apart.
func namePod(method string, body []byte) string {
	if method == http.MethodDelete {
		return "delete a released pod"
	}
	var pod struct {
		Metadata struct{ Annotations map[string]*string }
	}
	if json.Unmarshal(body, &pod) != nil {
		return "write a pod, unreadable"
	}
	note := pod.Metadata.Annotations["l4-canary.io/parked"]
	if note == nil {
		return "unpark a pod"
	}
	var parked struct{ Deployment string }
	_ = json.Unmarshal([]byte(*note), &parked)
	return "park a pod of " + parked.Deployment
}

func nameOther(r *http.Request, object string, body []byte) string {
	kind, name, _ := strings.Cut(object, "/")
	kind = strings.TrimSuffix(kind, "s")
	switch {
	case strings.HasSuffix(object, "/scale"):
		var scale struct{ Spec struct{ Replicas *int } }
		if json.Unmarshal(body, &scale) != nil || scale.Spec.Replicas == nil {
			return "scale " + object + ", unreadable"
		}
		return fmt.Sprintf("scale %s to %d", strings.TrimSuffix(name, "/scale"), *scale.Spec.Replicas)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch"):
		return "apply " + kind + " " + name
	case r.Method == http.MethodPost:
		return "create " + kind
	case r.Method == http.MethodDelete:
		return "delete " + kind + " " + name
	}
	return strings.ToLower(r.Method) + " " + object
}
