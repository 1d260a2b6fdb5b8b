// Package cache builds the binaries of a lab from the repository's sources and
// keeps them outside the tree. Each lies in a folder whose name holds a digest
// of its sources, the Go version and the flags, so that no change is missed and
// nothing is built twice.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KubernetesVersion is what the node binary is made of; lab/node/go.mod requires it.
const KubernetesVersion = "1.34.4"

// Binary is a program to build.
type Binary struct {
	Name    string // of the file, and the beginning of its folder's name
	Title   string // for people
	Expect  string // how long a first build takes, for people
	Dir     string // of the main package, and of all its sources
	LDFlags string
}

// Names of the binaries, and the hexadecimal digits of a key behind them.
const (
	nodeName     = "node"
	workloadName = "workload"
	keyLength    = 16
)

// Node is the multi-call Kubernetes binary of the repository at root.
func Node(root string) Binary {
	const version = "k8s.io/component-base/version."
	return Binary{
		Name:   nodeName,
		Title:  "Kubernetes " + KubernetesVersion,
		Expect: "first time only, about 10 minutes",
		Dir:    filepath.Join(root, "lab", "node"),
		LDFlags: "-s -w -X " + version + "gitVersion=v" + KubernetesVersion +
			" -X " + version + "gitMajor=1 -X " + version + "gitMinor=34",
	}
}

// Workload is the server that the lab's registry serves as every image.
func Workload(root string) Binary {
	return Binary{
		Name:    workloadName,
		Title:   "the workload",
		Expect:  "a few seconds",
		Dir:     filepath.Join(root, "lab", "workload"),
		LDFlags: "-s -w",
	}
}

// Root is the checkout that dir lies in: the nearest folder upwards with a
// lab/node of its own.
func Root(dir string) (string, error) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "lab", "node", "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("finding the sources of the lab: no lab/node/go.mod in %q or above; "+
				"run in the checkout, or name it with --source or L4_LAB_SOURCE", dir)
		}
	}
}

// Dir is the cache's folder: L4_LAB_CACHE, or l4-canary in ~/.cache.
func Dir(getenv func(string) string) (string, error) {
	if dir := getenv("L4_LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	home := getenv("HOME")
	if home == "" {
		return "", errors.New("finding the cache: neither L4_LAB_CACHE nor HOME is set")
	}
	return filepath.Join(home, ".cache", "l4-canary"), nil
}

// Key is the digest of all that the binary depends on. Tests and what only they
// read are left out.
func (b Binary) Key(goVersion string) (string, error) {
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%s\n%s\n", goVersion, b.LDFlags) // a hash takes everything
	err := filepath.WalkDir(b.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, "_test.go") || !entry.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(filepath.Dir(b.Dir), path)
		if err != nil {
			return err
		}
		return hashFile(hash, rel, path)
	})
	if err != nil {
		return "", fmt.Errorf("hashing the sources of %s: %w", b.Title, err)
	}
	return hex.EncodeToString(hash.Sum(nil))[:keyLength], nil
}

func hashFile(w io.Writer, name, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s %d\n%s", name, len(data), data)
	return err
}
