package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// instancesFile is how many inotify instances one user may have, and instances how many
// a few labs side by side take: a kubelet that gets none ends, and the kernel's 128 are
// used up by eight nodes.
const (
	instancesFile = "/proc/sys/fs/inotify/max_user_instances"
	instances     = 1024
)

// AllowWatches raises the limit, and leaves one that is higher.
func AllowWatches() error { return raise(instancesFile) }

// raise makes the number in a file large enough.
func raise(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading a limit: %w", err)
	}
	now, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("reading the limit in %s: %w", file, err)
	}
	if now >= instances {
		return nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(instances)), 0o644); err != nil {
		return fmt.Errorf("raising a limit: %w", err)
	}
	return nil
}
