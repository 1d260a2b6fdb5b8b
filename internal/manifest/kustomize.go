package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// errNoDisk says that a file system is none that kustomize could read.
var errNoDisk = errors.New("a kustomization must lie in a directory of this machine")

// render is what kustomize makes of the directory in which a kustomization lies.
// Nothing is fetched: neither plugins nor charts run, and remote bases are refused
// before kustomize could ask for them.
func render(files fs.FS, name string) ([]byte, error) {
	dir, ok := files.(Dir)
	if !ok {
		return nil, errNoDisk
	}
	if err := refuseRemote(files, path.Dir(name), map[string]bool{}); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Dir(dir.path(name)))
	if err != nil {
		return nil, err
	}
	return built.AsYaml()
}

// remote are the forms of a base that kustomize would fetch: URLs, scp-like names of
// git, and hosts it knows,
// https://github.com/kubernetes-sigs/kustomize/blob/api/v0.20.1/api/internal/git/repospec.go
var remote = regexp.MustCompile(`^[a-z+]+://|^git@|^git::|^[^/]+@[^/]+:|^(github\.com|gitlab\.com|bitbucket\.org)[/:]|\?(ref|version|submodules|timeout)=`)

// refuseRemote looks through a kustomization, and those it builds upon, for bases and
// files that are elsewhere.
func refuseRemote(files fs.FS, dir string, seen map[string]bool) error {
	if dir = path.Clean(dir); seen[dir] {
		return nil
	}
	seen[dir] = true
	k, err := kustomization(files, dir)
	if err != nil || k == nil {
		return err
	}
	for _, base := range slices.Concat(k.Resources, k.Components, k.Crds, k.Configurations, k.Generators, k.Transformers) {
		if remote.MatchString(base) {
			return fmt.Errorf("%s is not on this machine, and nothing is fetched: fetch it beforehand, or render it: kubectl kustomize %s > rendered.yaml", base, dir)
		}
		inner := path.Join(dir, base)
		if info, err := fs.Stat(files, inner); err == nil && info.IsDir() {
			if err = refuseRemote(files, inner, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// kustomizationNames are those that kustomize looks for, the first one first.
func kustomizationNames() []string {
	return []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}
}

func isKustomization(name string) bool { return slices.Contains(kustomizationNames(), name) }

// kustomization reads the one of a directory, nil if there is none. Old fields count
// as kustomize itself reads them.
func kustomization(files fs.FS, dir string) (*types.Kustomization, error) {
	for _, name := range kustomizationNames() {
		data, err := fs.ReadFile(files, path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var k types.Kustomization
		if err = yaml.Unmarshal(data, &k); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path.Join(dir, name), err)
		}
		k.FixKustomization()
		return &k, nil
	}
	return nil, nil //nolint:nilnil // there is none
}
