package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// policyFiles say how the machine spreads flows over the paths of a route.
var policyFiles = []string{
	"/proc/sys/net/ipv4/fib_multipath_hash_policy",
	"/proc/sys/net/ipv6/fib_multipath_hash_policy",
}

// ByPorts spreads flows by addresses and ports: without the ports all flows from
// here to one address would take one path.
var ByPorts = []string{"1", "1"}

// HashPolicy returns the machine's settings, "" where the kernel has none.
func HashPolicy() ([]string, error) {
	values := make([]string, len(policyFiles))
	for i, file := range policyFiles {
		data, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading a setting: %w", err)
		}
		values[i] = strings.TrimSpace(string(data))
	}
	return values, nil
}

// SetHashPolicy sets the machine's settings.
func SetHashPolicy(values []string) error {
	for i, file := range policyFiles {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.WriteFile(file, []byte(values[i]), 0o644); err != nil {
			return fmt.Errorf("setting: %w", err)
		}
	}
	return nil
}
