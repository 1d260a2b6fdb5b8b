package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// handler puts an image into an ordinary registry just before it is pulled. The
// layers, of the workload and of a program of one's own, lie there from the start.
type handler struct {
	log     *slog.Logger
	layer   v1.Layer
	program v1.Layer // nil: there is none
	name    string   // of its file, and the last element of its repositories
	blobs   registry.BlobPutHandler
	backing http.Handler
}

// Handler returns the registry that serves the workload binary at path, and the
// program at another one if it is not empty. It only reads: it answers every other
// method with 405.
func Handler(ctx context.Context, workload, program string, log *slog.Logger) (http.Handler, error) {
	layer, err := newLayer(workload, entrypoint)
	if err != nil {
		return nil, err
	}
	blobs := registry.NewInMemoryBlobHandler()
	silent := slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo) // the handler logs for it
	h := &handler{
		log:     log,
		layer:   layer,
		blobs:   blobs.(registry.BlobPutHandler),
		backing: registry.New(registry.WithBlobHandler(blobs), registry.Logger(silent)),
	}
	if err = h.putLayer(ctx, h.layer); err != nil {
		return nil, err
	}
	if program == "" {
		return h, nil
	}
	h.name = filepath.Base(program)
	if h.program, err = newLayer(program, h.name); err != nil {
		return nil, err
	}
	return h, h.putLayer(ctx, h.program)
}

func (h *handler) putLayer(ctx context.Context, layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return fmt.Errorf("hashing the layer: %w", err)
	}
	content, err := layer.Compressed()
	if err != nil {
		return fmt.Errorf("compressing the layer: %w", err)
	}
	if err := h.blobs.Put(ctx, "", digest, content); err != nil {
		return fmt.Errorf("storing the layer: %w", err)
	}
	return nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := parsePath(r.URL.Path)
	h.log.Info("image request", "method", r.Method, "repository", path.repository,
		"kind", path.kind, "reference", path.reference, "namespace", r.URL.Query().Get("ns"))
	if refusal := refuse(r.Method, path.repository); refusal != nil {
		refusal.write(w)
		return
	}
	if path.kind == "manifests" {
		if err := h.publish(r, path); err != nil {
			h.log.Error("building an image failed", "repository", path.repository, "error", err)
			(&refusal{status: http.StatusInternalServerError, code: "UNKNOWN", message: err.Error()}).write(w)
			return
		}
	}
	h.backing.ServeHTTP(w, r)
}

// publish makes sure that the image path names is in the backing registry.
func (h *handler) publish(r *http.Request, path imagePath) error {
	img, err := h.image(path)
	if err != nil {
		return err
	}
	if err := h.putConfig(r, path.repository, img); err != nil {
		return err
	}
	tag := path.reference
	if isDigest(tag) {
		// Of a digest only the repository's own version can be told. Whoever
		// asks for the digest of a tag has asked for the tag before.
		tag = "latest"
	}
	return h.putManifest(r, path.repository, tag, img)
}

func (h *handler) image(path imagePath) (v1.Image, error) {
	if h.program != nil && lastElement(path.repository) == h.name {
		return newImage(h.program, path.repository, v1.Config{Entrypoint: []string{"/" + h.name}})
	}
	return newImage(h.layer, path.repository, runConfig(path.repository, path.reference))
}

func (h *handler) putConfig(r *http.Request, repository string, img v1.Image) error {
	digest, err := img.ConfigName()
	if err != nil {
		return fmt.Errorf("hashing the configuration: %w", err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return fmt.Errorf("encoding the configuration: %w", err)
	}
	if err := h.blobs.Put(r.Context(), repository, digest, io.NopCloser(bytes.NewReader(config))); err != nil {
		return fmt.Errorf("storing the configuration: %w", err)
	}
	return nil
}

func (h *handler) putManifest(r *http.Request, repository, tag string, img v1.Image) error {
	mediaType, err := img.MediaType()
	if err != nil {
		return fmt.Errorf("reading the media type: %w", err)
	}
	manifest, err := img.RawManifest()
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	url := "/v2/" + repository + "/manifests/" + tag
	put, err := http.NewRequestWithContext(r.Context(), http.MethodPut, url, bytes.NewReader(manifest))
	if err != nil {
		return fmt.Errorf("addressing the manifest: %w", err)
	}
	put.Header.Set("Content-Type", string(mediaType))
	answer := &status{}
	h.backing.ServeHTTP(answer, put)
	if answer.code != http.StatusCreated {
		return fmt.Errorf("storing the manifest: status %d", answer.code)
	}
	return nil
}

// status is a ResponseWriter that keeps the status only.
type status struct{ code int }

func (s *status) Header() http.Header         { return http.Header{} }
func (s *status) Write(b []byte) (int, error) { return len(b), nil }
func (s *status) WriteHeader(code int)        { s.code = code }

// imagePath is what a path of the distribution API names:
// /v2/REPOSITORY/KIND/REFERENCE. All are empty for /v2/ itself.
type imagePath struct{ repository, kind, reference string }

func parsePath(path string) imagePath {
	elements := strings.Split(strings.TrimPrefix(path, "/v2/"), "/")
	if len(elements) < 3 {
		return imagePath{}
	}
	end := len(elements) - 2
	return imagePath{
		repository: strings.Join(elements[:end], "/"),
		kind:       elements[end],
		reference:  elements[end+1],
	}
}
