// Package network makes the network namespaces of a lab and the links, routes
// and settings that connect them with the machine.
package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// dir is where "ip -n NAME" looks for network namespaces.
const dir = "/run/netns"

// Path is the file of the network namespace of that name.
func Path(name string) string { return filepath.Join(dir, name) }

// Add makes a network namespace. It does what "ip netns add" does, except for
// the mount of /run/netns onto itself, which nothing ever takes away again.
func Add(name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("adding network namespace: %w", err)
	}
	file, err := os.OpenFile(Path(name), os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return fmt.Errorf("adding network namespace: %w", err)
	}
	if err = file.Close(); err != nil {
		return fmt.Errorf("adding network namespace: %w", err)
	}
	result := make(chan error)
	go func() {
		// Never unlocked: the thread, in the wrong namespace now, ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- err
			return
		}
		result <- unix.Mount("/proc/thread-self/ns/net", Path(name), "", unix.MS_BIND, "")
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("adding network namespace %q: %w", name, err)
	}
	return nil
}

// Delete removes the network namespace, and with it all its links, once the last
// process in it has ended. One that does not exist is no error.
func Delete(name string) error {
	// EINVAL: it was never mounted.
	err := unix.Unmount(Path(name), unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("deleting network namespace %q: %w", name, err)
	}
	if err := os.Remove(Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting network namespace: %w", err)
	}
	_ = os.Remove(dir) // stays if it is another's too
	return nil
}

// within runs f in the network namespace.
func within(name string, f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // as in Add
		result <- func() error {
			fd, err := unix.Open(Path(name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer func() { _ = unix.Close(fd) }()
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("working in network namespace %q: %w", name, err)
	}
	return nil
}

// sysctl is a setting below /proc/sys; /proc/sys/net shows the thread's own namespace.
type sysctl struct{ key, value string }

func set(settings []sysctl) error {
	for _, s := range settings {
		if err := os.WriteFile(filepath.Join("/proc/sys", s.key), []byte(s.value), 0o644); err != nil {
			return fmt.Errorf("setting: %w", err)
		}
	}
	return nil
}
