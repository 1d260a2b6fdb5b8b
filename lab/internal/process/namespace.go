package process

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Place is where a process runs.
type Place struct {
	NetNS    string // file of the network namespace to enter
	Keep     string // if set: a mount namespace of its own, in which this folder stays visible
	MountsOf int    // else if set: the process whose mount namespace to share
	CGroup   string // control group to join, for example /l4lab-lab/daemon
}

// Args are the arguments of the hidden command that enters the place.
func (p Place) Args() []string {
	return []string{"--netns", p.NetNS, "--mounts-of", strconv.Itoa(p.MountsOf), "--keep", p.Keep, "--cgroup", p.CGroup}
}

// environment of every process: none of the user's settings.
var environment = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}

// Exec enters the place and becomes the program argv. It returns only on error.
//
// It must not be "ip netns exec", which mounts a new /sys and so hides the
// control groups; and a mount namespace makes that nothing which containerd and
// kubelet mount, and none of the paths which they have built in, is ever seen on
// the machine: all of it goes when the last process does.
func (p Place) Exec(argv []string) error {
	runtime.LockOSThread() // namespaces belong to a thread; exec makes this one the process
	if err := JoinCGroup(p.CGroup); err != nil {
		return err
	}
	// The other process's mount namespace may hide the file of the network namespace.
	if err := setns(p.NetNS, unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := p.enterMounts(); err != nil {
		return err
	}
	if err := unix.Exec(argv[0], argv, environment); err != nil {
		return fmt.Errorf("becoming %q: %w", argv[0], err)
	}
	return nil
}

func (p Place) enterMounts() error {
	switch {
	case p.Keep != "":
		return p.ownMounts()
	case p.MountsOf == 0:
		return nil
	}
	// A thread that shares its root and working directory with others may not
	// change its mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leaving the shared working directory: %w", err)
	}
	return setns(fmt.Sprintf("/proc/%d/ns/mnt", p.MountsOf), unix.CLONE_NEWNS)
}

// hidden are the folders that containerd, its shims, CNI and kubelet write to
// without asking: /run/containerd/s, /run/xtables.lock, /var/lib/cni,
// /var/lib/kubelet/device-plugins, /var/log/containers.
var hidden = []string{"/run", "/var/lib", "/var/log"}

// ownMounts makes a mount namespace in which the hidden folders are empty.
func (p Place) ownMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	// Slave, not private: what the machine unmounts must go here too.
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cutting off the mount namespace: %w", err)
	}
	// Shared again within, as a node's root is: pods may ask for mount propagation.
	if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("sharing mounts within the node: %w", err)
	}
	// The working directory stays what it is when a mount hides it.
	if err := unix.Chdir(p.Keep); err != nil {
		return fmt.Errorf("entering %q: %w", p.Keep, err)
	}
	for _, dir := range hidden {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=64m"); err != nil {
			return fmt.Errorf("hiding %q: %w", dir, err)
		}
	}
	if err := os.MkdirAll(p.Keep, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(".", p.Keep, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keeping %q: %w", p.Keep, err)
	}
	return unix.Chdir("/")
}

func setns(path string, kind int) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening namespace %q: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Setns(fd, kind); err != nil {
		return fmt.Errorf("entering namespace %q: %w", path, err)
	}
	return nil
}
