package registry_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/registry"
)

const program = "a static binary, so to speak"

// writeWorkload returns the path of a stand-in for the workload binary.
func writeWorkload(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "workload")
	require.NoError(t, os.WriteFile(path, []byte(program), 0o755))
	return path
}

// serve starts a registry and returns its host and port.
func serve(t *testing.T) string {
	t.Helper()
	return serveWith(t, "")
}

// serveWith starts one that serves a program, too.
func serveWith(t *testing.T, own string) string {
	t.Helper()
	handler, err := registry.Handler(t.Context(), writeWorkload(t), own, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func pull(t *testing.T, image string) (v1.Image, error) {
	t.Helper()
	ref, err := name.ParseReference(image)
	require.NoError(t, err)
	return remote.Image(ref, remote.WithContext(t.Context()))
}

func TestPullConfiguresTheWorkload(t *testing.T) {
	t.Parallel()
	host := serve(t)
	for _, tc := range []struct{ image, version string }{
		{"xianlu/old-nginx", "old"},
		{"xianlu/new-nginx:latest", "new"},
		{"xianlu/new-nginx:v2.1", "v2.1"},
		{"nginx", "nginx"},
		{"a/b/c/blue-green-red", "blue"},
		{"missingno/privateer-web", "privateer"},
	} {
		t.Run(tc.image, func(t *testing.T) {
			t.Parallel()
			img, err := pull(t, host+"/"+tc.image)
			require.NoError(t, err)
			require.NoError(t, validate.Image(img))
			config, err := img.ConfigFile()
			require.NoError(t, err)
			require.Equal(t, []string{"/workload"}, config.Config.Entrypoint)
			require.Empty(t, config.Config.Cmd)
			require.Equal(t, []string{"VERSION=" + tc.version}, config.Config.Env)
			require.Contains(t, config.Config.ExposedPorts, "80/tcp")
			require.Contains(t, config.Config.ExposedPorts, "7000/udp")
			require.Equal(t, "linux", config.OS)
		})
	}
}

func TestPullGivesThePauseImage(t *testing.T) {
	t.Parallel()
	img, err := pull(t, serve(t)+"/google_containers/pause:3.10")
	require.NoError(t, err)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, []string{"/workload", "pause"}, config.Config.Entrypoint)
}

// TestPullGivesAProgram: images of its name hold it, others do not, and a failing pull
// fails as before.
func TestPullGivesAProgram(t *testing.T) {
	t.Parallel()
	own := filepath.Join(t.TempDir(), "l4-canary")
	require.NoError(t, os.WriteFile(own, []byte("another one"), 0o700))
	host := serveWith(t, own)
	for image, entry := range map[string]string{
		"org/l4-canary": "/l4-canary", "l4-canary:v1.2.3": "/l4-canary", "org/l4-canary-web": "/workload", "l4-canary/web": "/workload",
	} {
		img, err := pull(t, host+"/"+image)
		require.NoError(t, err)
		require.NoError(t, validate.Image(img))
		config, err := img.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, []string{entry}, config.Config.Entrypoint, image)
		content := mutate.Extract(img)
		files := tar.NewReader(content)
		header, err := files.Next()
		require.NoError(t, err)
		require.Equal(t, strings.TrimPrefix(entry, "/"), header.Name)
		body, err := io.ReadAll(files)
		require.NoError(t, err)
		require.Equal(t, entry == "/l4-canary", string(body) == "another one")
		require.NoError(t, content.Close())
	}
	_, err := pull(t, host+"/missing/l4-canary")
	require.Error(t, err)

	_, err = registry.Handler(t.Context(), writeWorkload(t), own+"-gone", slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "no such file")
}

func TestImageHoldsTheWorkload(t *testing.T) {
	t.Parallel()
	img, err := pull(t, serve(t)+"/xianlu/old-nginx")
	require.NoError(t, err)
	content := mutate.Extract(img)
	defer content.Close()
	files := tar.NewReader(content)
	header, err := files.Next()
	require.NoError(t, err)
	require.Equal(t, "workload", header.Name)
	require.EqualValues(t, 0o755, header.Mode)
	body, err := io.ReadAll(files)
	require.NoError(t, err)
	require.Equal(t, program, string(body))
	_, err = files.Next()
	require.ErrorIs(t, err, io.EOF)
}

func TestDigestsAreDeterministic(t *testing.T) {
	t.Parallel()
	first, err := pull(t, serve(t)+"/xianlu/old-nginx")
	require.NoError(t, err)
	digest, err := first.Digest()
	require.NoError(t, err)

	restarted := serve(t)
	again, err := pull(t, restarted+"/elsewhere/old-nginx@"+digest.String())
	require.NoError(t, err, "a fresh registry knows the digest of the default tag")
	require.NoError(t, validate.Image(again))

	other, err := pull(t, restarted+"/xianlu/new-nginx")
	require.NoError(t, err)
	otherDigest, err := other.Digest()
	require.NoError(t, err)
	require.NotEqual(t, digest, otherDigest)
}

// A runtime asks with HEAD for the tag, with GET for the digest, then for the blobs.
func TestHeadAndGetAgree(t *testing.T) {
	t.Parallel()
	base := "http://" + serve(t) + "/v2/xianlu/web"
	head := request(t, http.MethodHead, base+"/manifests/v2?ns=registry.example")
	require.Equal(t, http.StatusOK, head.status)
	require.Equal(t, string(types.OCIManifestSchema1), head.header.Get("Content-Type"))
	digest := head.header.Get("Docker-Content-Digest")
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, digest)

	get := request(t, http.MethodGet, base+"/manifests/"+digest+"?ns=registry.example")
	require.Equal(t, http.StatusOK, get.status)
	require.Equal(t, digest, get.header.Get("Docker-Content-Digest"))
	require.Equal(t, string(types.OCIManifestSchema1), get.header.Get("Content-Type"))
	require.Equal(t, head.length, get.length)

	manifest, err := v1.ParseManifest(bytes.NewReader(get.body))
	require.NoError(t, err)
	require.Equal(t, types.OCIConfigJSON, manifest.Config.MediaType)
	require.Equal(t, types.OCILayer, manifest.Layers[0].MediaType)
	for _, blob := range append(manifest.Layers, manifest.Config) {
		got := request(t, http.MethodGet, base+"/blobs/"+blob.Digest.String()+"?ns=registry.example")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, blob.Size, got.length)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	host := serve(t)
	for _, tc := range []struct {
		image  string
		status int
		code   transport.ErrorCode
	}{
		{"xianlu/missing", 404, transport.ManifestUnknownErrorCode},
		{"missing/old-nginx:v1", 404, transport.ManifestUnknownErrorCode},
		{"denied/old-nginx", 403, transport.DeniedErrorCode},
		{"private/old-nginx", 401, transport.UnauthorizedErrorCode},
	} {
		t.Run(tc.image, func(t *testing.T) {
			t.Parallel()
			_, err := pull(t, host+"/"+tc.image)
			var refused *transport.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, tc.status, refused.StatusCode)
			require.Len(t, refused.Errors, 1)
			require.Equal(t, tc.code, refused.Errors[0].Code)
		})
	}
}

func TestPrivateNamesTheChallenge(t *testing.T) {
	t.Parallel()
	got := request(t, http.MethodHead, "http://"+serve(t)+"/v2/private/web/manifests/latest")
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, `Basic realm="lab"`, got.header.Get("WWW-Authenticate"))
}

func TestUnknownDigestIsNotFound(t *testing.T) {
	t.Parallel()
	_, err := pull(t, serve(t)+"/xianlu/web@sha256:"+strings.Repeat("0", 64))
	var refused *transport.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusNotFound, refused.StatusCode)
	require.Equal(t, transport.ManifestUnknownErrorCode, refused.Errors[0].Code)
}

func TestPushIsRefused(t *testing.T) {
	t.Parallel()
	got := request(t, http.MethodPut, "http://"+serve(t)+"/v2/xianlu/web/manifests/latest")
	require.Equal(t, http.StatusMethodNotAllowed, got.status)
}

func TestPing(t *testing.T) {
	t.Parallel()
	got := request(t, http.MethodGet, "http://"+serve(t)+"/v2/")
	require.Equal(t, http.StatusOK, got.status)
}

func TestRunReportsWhatIsWrong(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	err := registry.Run(t.Context(), registry.Options{Workload: "/nowhere/workload", Log: log})
	require.ErrorContains(t, err, "reading the workload: open /nowhere/workload")
	err = registry.Run(t.Context(), registry.Options{Workload: writeWorkload(t), Listen: "nonsense", Log: log})
	require.ErrorContains(t, err, "listening for image pulls")
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := slog.New(slog.NewTextHandler(onWrite(cancel), nil)) // the first line says that it serves
	err := registry.Run(ctx, registry.Options{Workload: writeWorkload(t), Listen: "127.0.0.1:0", Log: log})
	require.NoError(t, err)
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

// onWrite is a writer that calls itself.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

// answer is what a request came back with.
type answer struct {
	status int
	header http.Header
	length int64 // as the header tells
	body   []byte
}

func request(t *testing.T, method, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{status: resp.StatusCode, header: resp.Header, length: resp.ContentLength, body: body}
}
