//go:build unix

package ci

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// giveAway makes the owner of folder own paths too. Without a folder, or when
// the process may not, they stay as they are.
func giveAway(paths []string, folder string) error {
	if folder == "" || len(paths) == 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("reading the owner of %q: %w", folder, err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	var problems []error
	for _, path := range paths {
		problems = append(problems, os.Lchown(path, int(owner.Uid), int(owner.Gid)))
	}
	return errors.Join(problems...)
}
