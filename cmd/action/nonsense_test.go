package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// harm is what others say so that a runner, a terminal or a page obeys.
const harm = "no\n::pwned::\r::pwned::\n##[pwned]x\n##vso[pwned]\x1b[31mred\u2028::pwned::\n<script>pwned</script>\n\u202e|`"

// mostAnswered is what may be read of one answer, with what the sockets between hold.
const mostAnswered = 64<<20 + 16<<20

// oracle is an API server that returns nonsense, and counts what was taken of it.
type oracle struct {
	*apiServer
	says      func(*oracle, http.ResponseWriter, *http.Request)
	most      atomic.Int64 // bytes of the longest answer that were taken
	elsewhere string       // another server
}

// ServeHTTP implements http.Handler.
func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asks := r.Method == http.MethodGet || r.URL.Query().Get("dryRun") == "All" || strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews")
	if !asks {
		o.mu.Lock()
		o.writes = append(o.writes, r.Method+" "+r.URL.String())
		o.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	o.says(o, w, r)
}

// forEver says a text again and again until nobody listens.
func (o *oracle) forEver(w io.Writer, text []byte) {
	for said := int64(0); ; {
		n, err := w.Write(text)
		said += int64(n)
		if err != nil {
			o.most.Store(max(o.most.Load(), said))
			return
		}
	}
}

// answer is what an API server would say.
func (o *oracle) answer(r *http.Request) string { return o.answers()[r.URL.Path] }

// always is an oracle that says one thing whatever it is asked.
func always(status int, kind, text string, header ...string) func(*oracle, http.ResponseWriter, *http.Request) {
	return func(_ *oracle, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// after is an oracle that knows its version and talks nonsense from then on.
func after(says func(*oracle, http.ResponseWriter, *http.Request)) func(*oracle, http.ResponseWriter, *http.Request) {
	return func(o *oracle, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = io.WriteString(w, o.answer(r))
			return
		}
		says(o, w, r)
	}
}

// foretelling is a kind of nonsense, and what is told of it: of the version, which is asked
// for first and for which client-go has words of its own, or of anything else.
type foretelling struct {
	says  func(*oracle, http.ResponseWriter, *http.Request)
	want  string
	first string // empty: the same
}

// oracles are all kinds of nonsense.
func oracles() map[string]foretelling {
	const kind = "application/json"
	failure := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"%%s","message":%s,"code":%%d}`, strconv.QuoteToASCII("no\n::pwned::\n##[pwned]x"))
	blanks := packed(bytes.Repeat([]byte(" "), 1<<20)) // what follows each other is one text to gzip
	pod := `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"l4-canary-nginx"},"gitVersion":"v1.34.4"}`
	return map[string]foretelling{
		"a page":            {always(200, "text/html", "<html>"+harm), `this is no answer of an API server: it is no JSON object, and begins with "<html>no\n::pwned::\r`, ""},
		"nothing":           {always(200, kind, ""), `it is no JSON object, and begins with ""`, ""},
		"a list of numbers": {always(200, kind, "[1, 2]"), `it is no JSON object, and begins with "[1, 2]"`, ""},
		"a deep nest":       {always(200, kind, strings.Repeat(`{"a":`, 20000)), "it is no JSON object", ""},
		"an answer cut off": {func(o *oracle, w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, o.answer(r)[:len(o.answer(r))/2])
		}, "it is no JSON object", ""},
		"another kind":       {after(always(200, kind, pod)), `this is no answer of an API server: it says kind "Pod" of "v1" where "`, ""},
		"another object":     {after(another), "where", ""},
		"an empty object":    {always(200, kind, "{}"), "this is no answer of an API server: it ", ""},
		"a failure in order": {after(always(200, kind, fmt.Sprintf(failure, "NotFound", 404))), `it says kind "Status" of "v1" where "`, ""},
		"a list without end": {func(o *oracle, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"kind":"LeaseList","apiVersion":"coordination.k8s.io/v1","items":[{}`)
			o.forEver(w, bytes.Repeat([]byte(`,{"metadata":{"name":"l4-canary-nginx"}}`), 4096))
		}, "it is longer than 64 MiB", ""},
		"a bomb": {func(o *oracle, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			o.forEver(w, blanks)
		}, "it is longer than 64 MiB", ""},
		"an error without end": {func(o *oracle, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusInternalServerError)
			o.forEver(w, bytes.Repeat([]byte(harm), 1024))
		}, "an error on the server", ""},
		"elsewhere": {func(o *oracle, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, o.elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
		}, `it leads elsewhere, to "http://127.0.0.1:`, ""},
		"nowhere":               {always(302, kind, "{}", "Location", "https://[::1"), "it leads elsewhere, to", ""},
		"an error with orders":  {always(500, "text/plain", harm), "an error on the server", ""},
		"a failure with orders": {always(503, kind, fmt.Sprintf(failure, "ServiceUnavailable", 503)), "no\n| ::pwned::\n## [pwned]x", "the server is currently unable to handle the request"},
		"refused with orders":   {always(403, kind, fmt.Sprintf(failure, "Forbidden", 403)), "no\n| ::pwned::\n## [pwned]x", "the credentials may not even do that"},
		"come back tomorrow":    {always(503, kind, fmt.Sprintf(failure, "ServiceUnavailable", 503), "Retry-After", "86400"), "no\n| ::pwned::", "the server is currently unable to handle the request"},
		"too many":              {always(429, kind, fmt.Sprintf(failure, "TooManyRequests", 429), "Retry-After", "86400"), "no\n| ::pwned::", "too many requests"},
		"no HTTP": {func(_ *oracle, w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "SSH-2.0-x\r\n"+harm)
				conn.Close()
			}
		}, "malformed HTTP", ""},
	}
}

func packed(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text) // into memory
	_ = w.Close()
	return b.Bytes()
}

// another answers with an object that nobody asked for.
func another(o *oracle, w http.ResponseWriter, r *http.Request) {
	if text := o.answer(r); strings.HasSuffix(text, `"items":[]}`) {
		_, _ = io.WriteString(w, strings.Replace(text, "List", "", 1))
		return
	}
	const lease = `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l4-canary-lobby"}}`
	text := strings.Replace(service(), `"name":"nginx"`, `"name":"lobby"`, 1)
	if strings.HasSuffix(r.URL.Path, "/l4-canary-nginx") {
		text = lease
	}
	_, _ = io.WriteString(w, text)
}

// commands are those that talk to a cluster, on the pair of the scripts.
func commands() map[string][]string {
	asked := []string{"--manifests", "service.yaml\nold.yaml\nnew.yaml", "--stable-pattern", "old", "--canary-pattern", "new"}
	faces := []string{"--report-json", "out.json", "--report-markdown", "out.md", "--report-junit", "out.xml", "--outputs-file", "out.env"}
	return map[string][]string{
		"run":      append(append([]string{"run"}, asked...), faces...),
		"plan":     append([]string{"plan"}, asked...),
		"doctor":   {"doctor", "--service", "nginx"},
		"rollback": append([]string{"rollback", "--service", "nginx"}, faces...),
		"status":   {"status", "--service", "nginx"},
	}
}

// TestNonsense: whatever stands at the address, every command ends soon, says what is wrong
// and that nothing was changed, writes nothing, and lets nobody act in a log.
func TestNonsense(t *testing.T) {
	t.Parallel()
	for name, row := range oracles() {
		for command, args := range commands() {
			t.Run(name+"/"+command, func(t *testing.T) {
				t.Parallel()
				o := &oracle{apiServer: &apiServer{kind: "serving"}, says: row.says}
				began := time.Now()
				code, written := consult(t, o, args)
				require.Equal(t, ExitUnreachable, code, "%s", written["stderr"])
				want := row.want
				if asksVersion := command != "rollback" && command != "status"; asksVersion {
					want = cmp.Or(row.first, want)
				}
				require.Contains(t, written["stderr"], want)
				require.Less(t, time.Since(began), time.Minute)
				require.LessOrEqual(t, o.most.Load(), int64(mostAnswered))
				require.Empty(t, o.written())
				requireHarmless(t, written)
				if command == "run" || command == "rollback" {
					require.Contains(t, written["out.env"], "outcome=refused\n")
					require.Contains(t, written["output"], "refused")
					require.Contains(t, written["summary"], "Refused")
				}
			})
		}
	}
}

// consult runs a command against an oracle as a step of a job, and gives all that it wrote.
func consult(t *testing.T, o *oracle, args []string) (ExitCode, map[string]string) {
	t.Helper()
	visited := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited = true }))
	o.elsewhere = elsewhere.URL
	server := httptest.NewUnstartedServer(o)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	write("cluster.yaml", fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: ci\n"+
		"clusters: [{name: lab, cluster: {server: %q, certificate-authority-data: %q}}]\nusers: [{name: ci, user: {token: %s}}]\n"+
		"contexts: [{name: ci, context: {cluster: lab, user: ci, namespace: web}}]\n", server.URL, authority, secretToken))
	for _, deployed := range []string{"old", "new"} {
		write(deployed+".yaml", `{"apiVersion":"apps/v1","kind":"Deployment",`+deployment(deployed+"-nginx", 10)[1:])
	}
	write("service.yaml", service())
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary")}
	var stdout, stderr bytes.Buffer
	c := &Command{Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string { return env[name] }, Dir: dir}
	code := c.Run(t.Context(), append(args, "--kubeconfig", filepath.Join(dir, "cluster.yaml")))
	server.CloseClientConnections()
	server.Close()
	elsewhere.Close()
	require.False(t, visited, "a redirect was followed, and the token with it")
	written := map[string]string{"stdout": stdout.String(), "stderr": stderr.String()}
	for _, name := range []string{"output", "summary", "out.json", "out.md", "out.xml", "out.env"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			written[name] = string(text)
		}
	}
	return code, written
}

// spans are what Markdown shows as it stands.
var spans = regexp.MustCompile("`[^`]*`")

// requireHarmless fails if anything of harm could act: in the log, in a file of the runner, or
// in a terminal.
func requireHarmless(t *testing.T, written map[string]string) {
	t.Helper()
	for name, text := range written {
		require.Empty(t, leaks(text, []string{secretToken}), name)
		require.NotContains(t, text, "\x1b", name)
		for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r) }) {
			line = strings.TrimSpace(line)
			require.False(t, strings.HasPrefix(line, "::pwned"), "%s: %s", name, text)
			if !strings.HasPrefix(line, "::") && strings.HasPrefix(name, "std") { // a command is none of the older kind
				require.NotContains(t, line, "##[", name)
				require.NotContains(t, line, "##vso[", name)
			}
			if name == "summary" || name == "out.md" {
				require.NotContains(t, spans.ReplaceAllString(line, ""), "<script", name)
			}
		}
	}
}
