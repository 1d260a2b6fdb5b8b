package comment

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// server answers in turn; a request that no test plans panics.
type server struct {
	answers []*saying
	bodies  []string
	at      []time.Duration
	began   time.Time
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(data)
	}
	s.bodies = append(s.bodies, body)
	s.at = append(s.at, time.Since(s.began))
	next := s.answers[len(s.bodies)-1]
	if next == nil {
		return nil, errors.New("connection refused")
	}
	response := &http.Response{StatusCode: next.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	for i := 0; i < len(next.headers); i += 2 {
		response.Header.Set(next.headers[i], next.headers[i+1])
	}
	return response, nil
}

// saying is what a server answers; nil is that nobody is there.
type saying struct {
	status  int
	headers []string // names and values
}

func answer(status int, headers ...string) *saying { return &saying{status, headers} }

// TestPatience: how often a request is made, and when.
func TestPatience(t *testing.T) {
	t.Parallel()
	soon := func(d time.Duration) string { // in a bubble time begins in 2000
		return strconv.FormatInt(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Unix(), 10)
	}
	const s = time.Second
	for name, row := range map[string]struct {
		method  string
		within  time.Duration
		answers []*saying
		want    []time.Duration
	}{
		"well":                         {"POST", time.Minute, []*saying{answer(201)}, []time.Duration{0}},
		"said when":                    {"POST", time.Minute, []*saying{answer(429, "Retry-After", "7"), answer(201)}, []time.Duration{0, 7 * s}},
		"twice, and then no more":      {"POST", time.Minute, []*saying{answer(403, "Retry-After", "7"), answer(429, "Retry-After", "9"), answer(429, "Retry-After", "1")}, []time.Duration{0, 7 * s, 16 * s}},
		"said as a date":               {"PATCH", time.Minute, []*saying{answer(429, "Retry-After", "Sat, 01 Jan 2000 00:00:11 GMT"), answer(200)}, []time.Duration{0, 11 * s}},
		"the count begins anew":        {"GET", time.Minute, []*saying{answer(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", soon(5*s)), answer(200)}, []time.Duration{0, 5 * s}},
		"it has begun anew already":    {"GET", time.Minute, []*saying{answer(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", soon(-5*s)), answer(200)}, []time.Duration{0, 0}},
		"as GitLab says it":            {"GET", time.Minute, []*saying{answer(429, "RateLimit-Remaining", "0", "RateLimit-Reset", soon(3*s)), answer(200)}, []time.Duration{0, 3 * s}},
		"too long to wait for":         {"POST", time.Hour, []*saying{answer(429, "Retry-After", "31")}, []time.Duration{0}},
		"longer than anybody waits":    {"POST", 5 * s, []*saying{answer(429, "Retry-After", "7")}, []time.Duration{0}},
		"nobody says when":             {"POST", time.Minute, []*saying{answer(429)}, []time.Duration{0}},
		"nonsense":                     {"POST", time.Minute, []*saying{answer(429, "Retry-After", "-7", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "later")}, []time.Duration{0}},
		"not allowed":                  {"POST", time.Minute, []*saying{answer(403, "X-RateLimit-Remaining", "4999", "X-RateLimit-Reset", soon(5*s))}, []time.Duration{0}},
		"it fell over":                 {"PATCH", time.Minute, []*saying{answer(502), answer(200)}, []time.Duration{0, s}},
		"it stays down":                {"GET", time.Minute, []*saying{answer(503), answer(504)}, []time.Duration{0, s}},
		"it may have made it":          {"POST", time.Minute, []*saying{answer(502)}, []time.Duration{0}},
		"a mistake of its own":         {"GET", time.Minute, []*saying{answer(500)}, []time.Duration{0}},
		"nobody there":                 {"GET", time.Minute, []*saying{nil}, []time.Duration{0}},
		"nobody there any more":        {"GET", time.Minute, []*saying{answer(502), nil}, []time.Duration{0, s}},
		"a limit, then it falls over":  {"PATCH", time.Minute, []*saying{answer(429, "Retry-After", "2"), answer(502)}, []time.Duration{0, 2 * s}},
		"it falls over, then a limit":  {"PATCH", time.Minute, []*saying{answer(502), answer(429, "Retry-After", "2"), answer(200)}, []time.Duration{0, s, 3 * s}},
		"a limit without end of limit": {"PATCH", time.Minute, []*saying{answer(429, "Retry-After", "99999999999999999999")}, []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				next := &server{answers: row.answers, began: time.Now()}
				ctx, cancel := context.WithTimeout(t.Context(), row.within)
				defer cancel()
				request, err := http.NewRequestWithContext(ctx, row.method, "https://api.example/x", strings.NewReader("the body"))
				require.NoError(t, err)
				response, err := patient{next}.RoundTrip(request)
				last := row.answers[len(row.answers)-1]
				if last == nil {
					require.ErrorContains(t, err, "connection refused")
				} else {
					require.NoError(t, err)
					require.Equal(t, last.status, response.StatusCode)
					require.NoError(t, response.Body.Close())
				}
				require.Equal(t, row.want, next.at)
				for _, body := range next.bodies {
					require.Equal(t, "the body", body)
				}
			})
		})
	}
}

// TestPatienceEnds: who waits for a limit can be called off.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := &server{answers: []*saying{answer(429, "Retry-After", "20")}, began: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example/x", nil)
		require.NoError(t, err)
		time.AfterFunc(3*time.Second, cancel)
		response, err := patient{next}.RoundTrip(request)
		if response != nil {
			response.Body.Close()
		}
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 3*time.Second, time.Since(next.began))
	})
}
