package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
)

const (
	// maxBody is the most that is read of an answer. The longest are lists of pods, of which
	// a namespace is to hold no more than 3,000, of some 10 KB each,
	// https://github.com/kubernetes/community/blob/master/sig-scalability/configs-and-limits/thresholds.md
	maxBody = 64 << 20

	// maxRefusal is the most that is read of an answer that turns a request down: it is a
	// Status of a few hundred bytes.
	maxRefusal = 1 << 20

	// maxRetryAfter is how long a server may ask to be left alone, which client-go does up to
	// ten times a request.
	maxRetryAfter = answersIn
)

// ErrNonsense is an answer that no API server gives: what stands at the address is
// something else, or something stands before it.
var ErrNonsense = errors.New("this is no answer of an API server")

// sense lets no answer pass that a client could take for something else than it is.
// client-go would follow a redirect and send the credentials along, keep all of a body that
// never ends, and take an object of another kind for one that is empty.
type sense struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s sense) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := s.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if seconds, wrong := strconv.Atoi(response.Header.Get("Retry-After")); wrong != nil || seconds < 0 || seconds > int(maxRetryAfter/time.Second) {
		response.Header.Del("Retry-After") // it is down: others are told at once
	}
	switch {
	case response.StatusCode < http.StatusOK: // another protocol from here on
		return response, nil
	case response.StatusCode >= http.StatusBadRequest:
		response.Body = limited{io.LimitReader(response.Body, maxRefusal), response.Body}
		return response, nil
	case response.StatusCode >= http.StatusMultipleChoices:
		err = fmt.Errorf("%w: it leads elsewhere, to %q, with status %d", ErrNonsense, response.Header.Get("Location"), response.StatusCode)
	case request.URL.Query().Has("watch"), strings.HasSuffix(request.URL.Path, "/log"):
		return response, nil
	default:
		err = sensible(request, response)
	}
	if err != nil {
		_ = response.Body.Close() // it is not read any more
		return nil, err
	}
	return response, nil
}

// limited is a part of a body.
type limited struct {
	io.Reader
	io.Closer
}

// sensible reads an answer whole and says why it is none, nil if it is one: then it can be
// read again.
func sensible(request *http.Request, response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxBody {
		return fmt.Errorf("%w: it is longer than %d MiB", ErrNonsense, maxBody>>20)
	}
	if err = answers(request, response.Header.Get("Content-Type"), body); err != nil {
		return err
	}
	response.Body = limited{bytes.NewReader(body), response.Body}
	return nil
}

// envelope is what every object says of itself.
type envelope struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

// compact reports whether an answer is in protobuf.
func compact(contentType string) bool {
	return strings.HasPrefix(contentType, runtime.ContentTypeProtobuf)
}

// open reads what an object says of itself.
func open(contentType string, body []byte) (envelope, error) {
	var said envelope
	if !compact(contentType) {
		return said, json.Unmarshal(body, &said)
	}
	var wrapped runtime.Unknown
	rest, marked := bytes.CutPrefix(body, []byte("k8s\x00"))
	if !marked {
		return said, errors.New("the mark is missing")
	}
	if err := wrapped.Unmarshal(rest); err != nil {
		return said, err
	}
	said.APIVersion, said.Kind = wrapped.APIVersion, wrapped.Kind
	if strings.HasSuffix(said.Kind, "List") {
		return said, nil
	}
	var object metav1.PartialObjectMetadata // of every object the metadata are the first field
	err := object.Unmarshal(wrapped.Raw)
	said.Metadata.Name = object.Name
	return said, err
}

// answers says why a body is no answer to a request.
func answers(request *http.Request, contentType string, body []byte) error {
	if len(body) == 0 && request.Method != http.MethodGet {
		return nil
	}
	said, err := open(contentType, body)
	if err != nil {
		const shown = 60
		form := "JSON"
		if compact(contentType) {
			form = "protobuf"
		}
		return fmt.Errorf("%w: it is no %s object, and begins with %q", ErrNonsense, form, body[:min(shown, len(body))])
	}
	if request.Method != http.MethodGet {
		return nil
	}
	want := wanted(request.URL.Path)
	if len(want.kinds) == 0 {
		return nil
	}
	switch {
	case !slices.Contains(want.kinds, said.Kind), want.apiVersion != "" && said.APIVersion != want.apiVersion:
		return fmt.Errorf("%w: it says kind %q of %q where %s was asked for", ErrNonsense, said.Kind, said.APIVersion, want)
	case want.name != "" && said.Metadata.Name != want.name:
		return fmt.Errorf("%w: it is the %s %q where %q was asked for", ErrNonsense, said.Kind, said.Metadata.Name, want.name)
	}
	return nil
}

// want is what a path leads to. Without kinds it may be anything.
type want struct {
	kinds      []string
	apiVersion string // empty: any
	name       string // empty: a list
}

// String names it as errors do.
func (w want) String() string {
	return fmt.Sprintf("%q of %q", strings.Join(w.kinds, " or "), w.apiVersion)
}

// kinds are those that a rollout reads, by what their path says.
func kinds() map[string]string {
	return map[string]string{
		"v1/services": "Service", "v1/pods": "Pod", "v1/configmaps": "ConfigMap", "v1/resourcequotas": "ResourceQuota", "v1/limitranges": "LimitRange",
		"apps/v1/deployments": "Deployment", "apps/v1/replicasets": "ReplicaSet", "discovery.k8s.io/v1/endpointslices": "EndpointSlice",
		"coordination.k8s.io/v1/leases": "Lease", "autoscaling/v2/horizontalpodautoscalers": "HorizontalPodAutoscaler",
		"policy/v1/poddisruptionbudgets": "PodDisruptionBudget", "networking.k8s.io/v1/networkpolicies": "NetworkPolicy",
	}
}

// wanted is what a path of the API leads to, as far as it is known:
// /api/v1/namespaces/NAMESPACE/RESOURCE/NAME, or /apis/GROUP/VERSION and so on.
func wanted(path string) want {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/api":
		return want{kinds: []string{"APIVersions", "APIGroupDiscoveryList"}}
	case path == "/apis":
		return want{kinds: []string{"APIGroupList", "APIGroupDiscoveryList"}}
	case parts[0] == "apis" && len(parts) > 2:
		parts = append([]string{parts[1] + "/" + parts[2]}, parts[3:]...)
	case parts[0] == "api" && len(parts) > 1:
		parts = parts[1:]
	default:
		return want{}
	}
	if len(parts) == 1 {
		return want{kinds: []string{"APIResourceList"}}
	}
	if len(parts) < 4 || len(parts) > 5 || parts[1] != "namespaces" {
		return want{}
	}
	kind := kinds()[parts[0]+"/"+parts[3]]
	switch {
	case kind == "":
		return want{}
	case len(parts) == 4:
		return want{kinds: []string{kind + "List"}, apiVersion: parts[0]}
	}
	return want{kinds: []string{kind}, apiVersion: parts[0], name: parts[4]}
}
