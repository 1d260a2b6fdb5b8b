package kube

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// saying is a server that answers every request alike.
func saying(status int, body io.Reader, header ...string) sense {
	return sense{server(func(*http.Request) (*http.Response, error) {
		r := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body)}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r, nil
	})}
}

// asked sends one request and reads the answer.
func asked(t *testing.T, s sense, method, path string) (http.Header, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://api"+path, http.NoBody)
	require.NoError(t, err)
	response, err := s.RoundTrip(request)
	if err != nil {
		require.Nil(t, response)
		return nil, "", err
	}
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.Header, string(body), response.Body.Close()
}

const (
	lobbyPath  = "/apis/apps/v1/namespaces/game/deployments/lobby"
	leasesPath = "/apis/coordination.k8s.io/v1/namespaces/game/leases"
)

// TestSense: what is an answer, and what is none.
func TestSense(t *testing.T) {
	t.Parallel()
	const get, patch = http.MethodGet, http.MethodPatch
	deployment := `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"lobby"}}`
	rows := []struct {
		name, method, path string
		status             int
		body, err          string // no error: the body comes as it is
	}{
		{"an object", get, lobbyPath, 200, deployment, ""},
		{"a list", get, leasesPath, 200, `{"kind":"LeaseList","apiVersion":"coordination.k8s.io/v1","items":[]}`, ""},
		{"the kind last", get, leasesPath, 200, `{"items":[{"kind":"Pod"}],"apiVersion":"coordination.k8s.io/v1","kind":"LeaseList"}`, ""},
		{"another group", get, lobbyPath, 200, strings.Replace(deployment, "apps/v1", "v1", 1), `it says kind "Deployment" of "v1" where "Deployment" of "apps/v1" was asked for`},
		{"another kind", get, lobbyPath, 200, strings.Replace(deployment, "Deployment", "Pod", 1), `it says kind "Pod" of "apps/v1" where`},
		{"another name", get, lobbyPath, 200, strings.Replace(deployment, "lobby", "shop", 1), `it is the Deployment "shop" where "lobby" was asked for`},
		{"one for many", get, leasesPath, 200, `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}`, `it says kind "Lease" of`},
		{"a failure in order", get, lobbyPath, 200, `{"kind":"Status","status":"Failure"}`, `it says kind "Status" of ""`},
		{"a kind of no text", get, lobbyPath, 200, `{"kind":5}`, "it is no JSON object"},
		{"a page", get, "/version", 200, "<html>\x1b", `it is no JSON object, and begins with "<html>\x1b"`},
		{"two", get, lobbyPath, 200, deployment + deployment, "it is no JSON object"},
		{"half of one", get, lobbyPath, 200, deployment[:30], "it is no JSON object"},
		{"nothing read", get, lobbyPath, 200, "", "it is no JSON object"},
		{"nothing said", patch, lobbyPath, 200, "", ""},
		{"a page for a write", patch, lobbyPath, 200, "<html>", "it is no JSON object"},
		{"a write's own answer", http.MethodDelete, lobbyPath, 200, `{"kind":"Status","apiVersion":"v1","status":"Success"}`, ""},
		{"a kind of others", get, "/apis/example.com/v1/namespaces/game/lobbies/a", 200, `{"kind":"Lobby"}`, ""},
		{"a part of an object", get, lobbyPath + "/scale", 200, `{"kind":"Scale","apiVersion":"autoscaling/v1"}`, ""},
		{"the groups", get, "/apis", 200, `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2"}`, ""},
		{"no groups", get, "/apis", 200, `{"kind":"APIVersions"}`, `it says kind "APIVersions"`},
		{"a group", get, "/apis/apps/v1", 200, `{"kind":"APIResourceList"}`, ""},
		{"no group", get, "/api/v1", 200, `{"kind":"PodList"}`, `it says kind "PodList"`},
		{"no versions", get, "/api", 200, `{}`, `it says kind ""`},
		{"a log", get, "/api/v1/namespaces/game/pods/a/log", 200, "<html>", ""},
		{"a watch", get, leasesPath + "?watch=true", 200, "<html>", ""},
		{"a refusal", get, lobbyPath, 404, "<html>", ""},
		{"elsewhere", get, lobbyPath, 302, "", `it leads elsewhere, to "https://evil.example/\n::x::", with status 302`},
		{"a watch elsewhere", get, leasesPath + "?watch=true", 307, "", "it leads elsewhere"},
		{"another protocol", get, lobbyPath, 101, "\x00", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, body, err := asked(t, saying(row.status, strings.NewReader(row.body), "Location", "https://evil.example/\n::x::"), row.method, row.path)
			if row.err == "" {
				require.NoError(t, err)
				require.Equal(t, row.body, body)
				return
			}
			require.ErrorIs(t, err, ErrNonsense)
			require.ErrorContains(t, err, row.err)
			require.True(t, Unreachable(err))
			require.True(t, Unreachable(&url.Error{Op: "Get", URL: "https://api", Err: err}))
			require.True(t, failed(nil, err), "the next answer may be in order")
		})
	}
}

// endless is a body that never ends, and counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

// TestSenseHasAnEnd: of what never ends no more is read than of the longest answer.
func TestSenseHasAnEnd(t *testing.T) {
	t.Parallel()
	var body endless
	_, _, err := asked(t, saying(http.StatusOK, &body), http.MethodGet, leasesPath)
	require.ErrorContains(t, err, "it is longer than 64 MiB")
	require.LessOrEqual(t, body.read, maxBody+maxBody/2)

	body = endless{}
	_, text, err := asked(t, saying(http.StatusBadGateway, &body), http.MethodGet, leasesPath)
	require.NoError(t, err)
	require.Len(t, text, maxRefusal)

	broken := errors.New("reset by peer")
	_, _, err = asked(t, saying(http.StatusOK, io.MultiReader(strings.NewReader(`{"kind":`), failing{broken})), http.MethodGet, leasesPath)
	require.ErrorIs(t, err, broken)
	_, _, err = asked(t, sense{server(func(*http.Request) (*http.Response, error) { return nil, broken })}, http.MethodGet, leasesPath)
	require.ErrorIs(t, err, broken)
}

// failing is a body that cannot be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestRetryAfter: a server may ask for a little patience and not for a day of it.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]string{"": "", "1": "1", "30": "30", "31": "", "86400": "", "99999999999999999999": "", "tomorrow": "", "-5": ""} {
		header, _, err := asked(t, saying(http.StatusServiceUnavailable, strings.NewReader("{}"), "Retry-After", after), http.MethodGet, lobbyPath)
		require.NoError(t, err)
		require.Equal(t, want, header.Get("Retry-After"), after)
	}
}

// FuzzSense: a body that passes is an object of the kind, version and name that its path asks
// for, as any reader of JSON understands it; an error is one line.
func FuzzSense(f *testing.F) {
	for _, path := range []string{lobbyPath, leasesPath, "/api", "/apis", "/apis/apps/v1", "/version", "//", "/api/v1/namespaces/a/pods/b", "/apis/a"} {
		f.Add(path, `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"lobby"}}`)
		f.Add(path, `{"KIND":"LeaseList","kind":null,"apiVersion":"coordination.k8s.io/v1","metadata":[]}`)
		f.Add(path, "<html>\x1b\n::error::")
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}}
		response := &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}
		if err := sensible(request, response); err != nil {
			require.ErrorIs(t, err, ErrNonsense)
			require.NotRegexp(t, `[\x00-\x1f]`, err.Error())
			return
		}
		kept, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, body, string(kept))
		var fields map[string]any
		require.NoError(t, json.Unmarshal(kept, &fields))
		if path == lobbyPath || path == leasesPath {
			kind := map[string]string{lobbyPath: "Deployment", leasesPath: "LeaseList"}[path]
			require.Equal(t, kind, fields["kind"])
		}
	})
}

// TestSenseOfProtobuf: objects are asked for in protobuf too, and held to the same.
func TestSenseOfProtobuf(t *testing.T) {
	t.Parallel()
	encode := func(o runtime.Object) string {
		var b strings.Builder
		require.NoError(t, protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(o, &b))
		return b.String()
	}
	named := func(name string) *appsv1.Deployment {
		return &appsv1.Deployment{
			TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: appsv1.DeploymentSpec{Replicas: new(int32(3))}, // what comes behind the metadata is passed over
		}
	}
	leases := &coordinationv1.LeaseList{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "LeaseList"}, Items: []coordinationv1.Lease{{}}}
	lobby := encode(named("lobby"))
	for name, row := range map[string]struct{ path, body, err string }{
		"an object":    {lobbyPath, lobby, ""},
		"a list":       {leasesPath, encode(leases), ""},
		"another name": {lobbyPath, encode(named("hall")), `it is the Deployment "hall" where "lobby" was asked for`},
		"another kind": {lobbyPath, encode(leases), `it says kind "LeaseList" of "coordination.k8s.io/v1" where`},
		"no mark":      {lobbyPath, lobby[1:], `it is no protobuf object, and begins with "8s\x00`},
		"half of one":  {lobbyPath, lobby[:len(lobby)/2], "it is no protobuf object"},
		"JSON":         {lobbyPath, `{"kind":"Deployment"}`, "it is no protobuf object"},
		"nothing":      {lobbyPath, "", "it is no protobuf object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, body, err := asked(t, saying(200, strings.NewReader(row.body), "Content-Type", runtime.ContentTypeProtobuf), http.MethodGet, row.path)
			if row.err != "" {
				require.ErrorIs(t, err, ErrNonsense)
				require.ErrorContains(t, err, row.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.body, body, "it comes as it is")
		})
	}
}
