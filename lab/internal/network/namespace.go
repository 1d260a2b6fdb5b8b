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

// Add makes a network namespace, as "ip netns add" does.
func Add(name string) error {
	err := locked(func() error {
		if err := stage(); err != nil {
			return err
		}
		return add(name)
	})
	if err != nil {
		return fmt.Errorf("adding network namespace %q: %w", name, err)
	}
	return nil
}

// stage mounts /run/netns onto itself, where nobody has yet. Whoever runs "ip netns add"
// would do so otherwise, also later, on top of the namespaces that are there already:
// each would be mounted twice, and only one of them could be reached to be taken away,
// https://git.kernel.org/pub/scm/network/iproute2/iproute2.git/tree/ip/ipnetns.c (netns_add)
func stage() error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	shared := func() error { return unix.Mount("", dir, "", unix.MS_SHARED|unix.MS_REC, "") }
	if err := shared(); !errors.Is(err, unix.EINVAL) { // EINVAL: it is no mount
		return err
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return shared()
}

func add(name string) error {
	file, err := os.OpenFile(Path(name), os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
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
	return <-result
}

// Delete removes the network namespace, and with it all its links, once the last
// process in it has ended. One that does not exist is no error.
func Delete(name string) error {
	err := locked(func() error {
		// EINVAL: it was never mounted.
		err := unix.Unmount(Path(name), unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			return err
		}
		if err := os.Remove(Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return strike()
	})
	if err != nil {
		return fmt.Errorf("deleting network namespace %q: %w", name, err)
	}
	return nil
}

// strike takes away what stage made, unless it is another's too.
func strike() error {
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		return nil //nolint:nilerr // it is gone already
	}
	if err := unix.Unmount(dir, 0); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EBUSY) {
		return err // EINVAL: it is no mount; EBUSY: somebody has just come
	}
	_ = os.Remove(dir) // stays if it is another's too
	return nil
}

// locked does something while no other lab does the same.
func locked(do func() error) error {
	run, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer func() { _ = run.Close() }() // which unlocks it
	if err := unix.Flock(int(run.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	return do()
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
