package metric_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/metric"
	"github.com/org/l4-canary/internal/rollout"
)

var _ rollout.Meter = (*metric.Client)(nil)

// prometheus answers every query with a status and a text, and remembers the requests.
type prometheus struct {
	*httptest.Server
	status int
	body   string
	seen   chan *http.Request
}

func newPrometheus(t *testing.T, status int, body string) *prometheus {
	t.Helper()
	p := &prometheus{status: status, body: body, seen: make(chan *http.Request, 10)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.seen <- r
		w.WriteHeader(p.status)
		_, _ = fmt.Fprint(w, p.body)
	}))
	t.Cleanup(p.Close)
	return p
}

// client asks the server at an address below which text stands for a host.
func client(t *testing.T, address, token string) *metric.Client {
	t.Helper()
	server, err := metric.NewServer(address, token, func(string) string { return "" })
	require.NoError(t, err)
	c, err := metric.NewClient(server)
	require.NoError(t, err)
	return c
}

func success(kind, result string) string {
	return `{"status":"success","data":{"resultType":"` + kind + `","result":` + result + `}}`
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body string
		want []rollout.Reading
	}{
		"scalar":       {success("scalar", `[1700000000,"0.25"]`), []rollout.Reading{{Value: 0.25}}},
		"empty vector": {success("vector", `[]`), nil},
		"not a number": {success("vector", `[{"metric":{},"value":[1700000000,"NaN"]}]`), nil},
		"NaN scalar":   {success("scalar", `[1700000000,"NaN"]`), nil},
		"vector": {
			success("vector", `[{"metric":{"__name__":"up","pod":"lobby-a"},"value":[1700000000,"1"]},{"metric":{},"value":[1700000000,"NaN"]},{"metric":{},"value":[1700000000,"7"]}]`),
			[]rollout.Reading{{Labels: `up{pod="lobby-a"}`, Value: 1}, {Labels: "{}", Value: 7}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrometheus(t, http.StatusOK, row.body)
			got, err := client(t, p.URL+"/prefix/", "").Ask(t.Context(), `up{pod=~"lobby-.*"}`)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			request := <-p.seen
			require.Equal(t, "/prefix/api/v1/query", request.URL.Path)
			require.Equal(t, `up{pod=~"lobby-.*"}`, request.Form.Get("query"))
			require.Equal(t, "10s", request.Form.Get("timeout"))
			require.Empty(t, request.Form.Get("time"), "the server's own clock is asked")
			require.Empty(t, request.Header.Get("Authorization"))
		})
	}
}

func TestAskFails(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	for name, row := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"not PromQL":     {http.StatusBadRequest, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error:\n unexpected <EOF>"}`, `asking URL: bad_data: invalid parameter "query": 1:4: parse error: unexpected <EOF>`},
		"cannot be done": {http.StatusUnprocessableEntity, `{"status":"error","errorType":"execution","error":"many-to-many matching not allowed"}`, "asking URL: execution: many-to-many matching not allowed"},
		"forbidden":      {http.StatusForbidden, "no", "asking URL: client error: 403 no"},
		"unauthorized":   {http.StatusUnauthorized, "Unauthorized\n", "asking URL: client error: 401 Unauthorized"},
		"gateway":        {http.StatusBadGateway, "<html>\r\n<b>::error::bad</b>", "asking URL: server error: 502 <html> <b>::error::bad</b>"},
		"range":          {http.StatusOK, success("matrix", `[]`), "the query returns a range vector: allowed are a scalar and an instant vector, such as the rate of that range"},
		"text":           {http.StatusOK, success("string", `[1700000000,"x"]`), `asking URL: bad_response: unexpected value type "string"`},
		"histogram": {
			http.StatusOK, success("vector", `[{"metric":{},"histogram":[1700000000,{"count":"1","sum":"1","buckets":[]}]}]`),
			"the query returns a histogram: allowed are numbers, such as a histogram_quantile of it",
		},
		"no JSON": {http.StatusOK, "<html>", ""},
		"long":    {http.StatusBadRequest, `{"status":"error","errorType":"bad_data","error":"` + long + `"}`, "asking URL: " + ("bad_data: " + long)[:299] + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrometheus(t, row.status, row.body)
			_, err := client(t, p.URL, "").Ask(t.Context(), "up")
			require.Error(t, err)
			if row.want != "" {
				require.EqualError(t, err, strings.Replace(row.want, "URL", p.URL, 1))
			}
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// TestAskNobody: what cannot be reached, and what is too long or too slow.
func TestAskNobody(t *testing.T) {
	t.Parallel()
	p := newPrometheus(t, http.StatusOK, "")
	p.Close()
	_, err := client(t, p.URL, "").Ask(t.Context(), "up")
	require.ErrorContains(t, err, "asking "+p.URL+": ")
	require.ErrorContains(t, err, "connection refused")

	endless := newPrometheus(t, http.StatusOK, success("vector", `[]`)+strings.Repeat(" ", 5<<20))
	_, err = client(t, endless.URL, "").Ask(t.Context(), "up")
	require.ErrorContains(t, err, "the answer is longer than 4 MiB: let the query aggregate")

	ctx, cancel := context.WithCancel(t.Context())
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // only then is it seen that the client has gone
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	_, err = client(t, silent.URL, "").Ask(ctx, "up")
	require.ErrorIs(t, err, context.Canceled)
}

// TestCredentials: they reach the server, and nobody else.
func TestCredentials(t *testing.T) {
	t.Parallel()
	p := newPrometheus(t, http.StatusOK, success("scalar", `[1,"1"]`))
	_, err := client(t, strings.Replace(p.URL, "http://", "http://ci:s%40fe@", 1), "").Ask(t.Context(), "up")
	require.NoError(t, err)
	user, password, ok := (<-p.seen).BasicAuth()
	require.True(t, ok)
	require.Equal(t, []string{"ci", "s@fe"}, []string{user, password})

	_, err = client(t, p.URL, "eyJ0b2tlbg").Ask(t.Context(), "up")
	require.NoError(t, err)
	require.Equal(t, "Bearer eyJ0b2tlbg", (<-p.seen).Header.Get("Authorization"))

	elsewhere := httptest.NewServer(http.RedirectHandler(p.URL+"/api/v1/query", http.StatusTemporaryRedirect))
	t.Cleanup(elsewhere.Close)
	_, err = client(t, elsewhere.URL, "eyJ0b2tlbg").Ask(t.Context(), "up")
	require.NoError(t, err)
	require.Empty(t, (<-p.seen).Header.Get("Authorization"), "a redirect must not take them along")
}

// TestSecretsStayHidden: whatever a server says, and whatever goes wrong on the way.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	p := newPrometheus(t, http.StatusForbidden, "user ci with s@fe or eyJ0b2tlbg may not")
	address := strings.Replace(p.URL, "http://", "http://ci:s%40fe@", 1)
	_, err := client(t, address, "").Ask(t.Context(), "up")
	require.EqualError(t, err, "asking "+p.URL+": client error: 403 user ci with *** or eyJ0b2tlbg may not")
	_, err = client(t, p.URL, "eyJ0b2tlbg").Ask(t.Context(), "up")
	require.EqualError(t, err, "asking "+p.URL+": client error: 403 user ci with s@fe or *** may not")
	p.Close()
	_, err = client(t, address, "").Ask(t.Context(), "up")
	require.NotContains(t, err.Error(), "fe@")
}

// TestSecretWithinAnother: of a password that begins as the user's name does, nothing is left.
func TestSecretWithinAnother(t *testing.T) {
	t.Parallel()
	p := newPrometheus(t, http.StatusForbidden, "ci-lobby may not with ci-lobby-7f3a")
	server, err := metric.NewServer(strings.Replace(p.URL, "http://", "http://${NAME}:${PASSWORD}@", 1), "", func(name string) string {
		return map[string]string{"NAME": "ci-lobby", "PASSWORD": "ci-lobby-7f3a"}[name]
	})
	require.NoError(t, err)
	c, err := metric.NewClient(server)
	require.NoError(t, err)
	_, err = c.Ask(t.Context(), "up")
	require.EqualError(t, err, "asking "+p.URL+": client error: 403 *** may not with ***")
}

// TestHostileLabels are quoted and cut.
func TestHostileLabels(t *testing.T) {
	t.Parallel()
	p := newPrometheus(t, http.StatusOK, success("vector", `[{"metric":{"pod":"a\n::error::b`+strings.Repeat("x", 5000)+`"},"value":[1,"1"]}]`))
	got, err := client(t, p.URL, "").Ask(t.Context(), "up")
	require.NoError(t, err)
	require.Len(t, []rune(got[0].Labels), 200)
	require.Contains(t, got[0].Labels, `{pod="a\n::error::b`)
}
