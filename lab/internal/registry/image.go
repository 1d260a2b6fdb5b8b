package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const entrypoint = "/workload"

// newLayer packs the binary at path as the only file of a layer, of that name. Times
// and owners are zero, so equal binaries give equal digests.
func newLayer(path, name string) (v1.Layer, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", strings.TrimPrefix(name, "/"), err)
	}
	var packed bytes.Buffer
	tw := tar.NewWriter(&packed)
	header := &tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Size: int64(len(binary))}
	if err = tw.WriteHeader(header); err != nil {
		return nil, fmt.Errorf("packing %q: %w", name, err)
	}
	if _, err = tw.Write(binary); err != nil {
		return nil, fmt.Errorf("packing %q: %w", name, err)
	}
	if err = tw.Close(); err != nil {
		return nil, fmt.Errorf("packing %q: %w", name, err)
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestSpeed),
		tarball.WithCompressedCaching,
	)
	if err != nil {
		return nil, fmt.Errorf("packing %q: %w", name, err)
	}
	return layer, nil
}

// newImage builds the image of a repository that holds the layer and is started so.
func newImage(layer v1.Layer, repository string, start v1.Config) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, layer)
	if err != nil {
		return nil, fmt.Errorf("building image %q: %w", repository, err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("building image %q: %w", repository, err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = start
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		return nil, fmt.Errorf("building image %q: %w", repository, err)
	}
	return img, nil
}

// runConfig says how a container of the workload is started, by the image that
// repository and reference, a tag or a digest, stand for.
func runConfig(repository, reference string) v1.Config {
	if lastElement(repository) == "pause" {
		return v1.Config{Entrypoint: []string{entrypoint, "pause"}}
	}
	return v1.Config{
		Entrypoint: []string{entrypoint},
		Env:        []string{"VERSION=" + version(repository, reference)},
		ExposedPorts: map[string]struct{}{
			"80/tcp": {}, "80/udp": {}, "7000/tcp": {}, "7000/udp": {}, "8081/tcp": {},
		},
	}
}

// version is the word an image answers with; the package comment has the rule.
func version(repository, reference string) string {
	if reference != "latest" && !isDigest(reference) {
		return reference
	}
	word, _, _ := strings.Cut(lastElement(repository), "-")
	return word
}

func lastElement(repository string) string {
	return repository[strings.LastIndex(repository, "/")+1:]
}

// isDigest tells a digest from a tag, which cannot contain a colon.
func isDigest(reference string) bool {
	return strings.Contains(reference, ":")
}
