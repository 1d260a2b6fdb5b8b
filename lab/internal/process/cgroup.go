package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cgroupRoot is where control groups are mounted on every distribution.
const cgroupRoot = "/sys/fs/cgroup"

// hierarchies returns the control group hierarchies with controllers: one folder
// each under version 1, the root alone under version 2.
func hierarchies() ([]string, error) {
	if unified() {
		return []string{cgroupRoot}, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, fmt.Errorf("listing control groups: %w", err)
	}
	var found []string
	for _, entry := range entries {
		// "cpu,cpuacct" may be mounted once and linked twice.
		dir, err := filepath.EvalSymlinks(filepath.Join(cgroupRoot, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("resolving a control group: %w", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
			continue // a file, or nothing is mounted there
		}
		if !slices.Contains(found, dir) {
			found = append(found, dir)
		}
	}
	return found, nil
}

func unified() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err == nil
}

// CreateCGroup makes the control group path, for example /l4lab-lab/node-1, in
// every hierarchy, so that kubelet can take it as its root.
func CreateCGroup(path string) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, base := range dirs {
		dir := base
		for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
			if err := delegate(dir); err != nil {
				return err
			}
			dir = filepath.Join(dir, part)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("creating a control group: %w", err)
			}
			if err := fillCPUSet(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate passes all controllers on to the groups below dir (version 2 only).
func delegate(dir string) error {
	if !unified() {
		return nil
	}
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("listing controllers: %w", err)
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		file := filepath.Join(dir, "cgroup.subtree_control")
		if err := os.WriteFile(file, []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("delegating controller %q: %w", controller, err)
		}
	}
	return nil
}

// fillCPUSet copies the parent's processors and memory nodes: under version 1 a
// group begins with none, and then takes no process.
func fillCPUSet(dir string) error {
	if unified() {
		return nil
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		file := filepath.Join(dir, name)
		own, err := os.ReadFile(file)
		if err != nil || len(bytes.TrimSpace(own)) > 0 {
			continue // another hierarchy, or filled
		}
		parents, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			return fmt.Errorf("reading the parent's %s: %w", name, err)
		}
		if err := os.WriteFile(file, parents, 0o644); err != nil {
			return fmt.Errorf("filling %s: %w", name, err)
		}
	}
	return nil
}

// JoinCGroup moves this process into the control group path, so that everything
// it becomes or starts can be found by that name. Under version 1 one hierarchy
// is enough, and pids limits nothing unless told.
func JoinCGroup(path string) error {
	base := cgroupRoot
	if !unified() {
		base = filepath.Join(cgroupRoot, "pids")
	}
	file := filepath.Join(base, path, "cgroup.procs")
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return fmt.Errorf("joining control group %q: %w", path, err)
	}
	return nil
}

// RemoveCGroup removes the control group path and all below it from every
// hierarchy. Its processes must have ended; the kernel may need a moment more.
func RemoveCGroup(path string, patience time.Duration) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, base := range dirs {
		deadline := time.Now().Add(patience)
		for {
			err := removeTree(filepath.Join(base, path))
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("removing control group: %w", err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// removeTree removes folders only, deepest first: the files of a control group
// cannot be removed and go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// InCGroup lists the processes in the control group path and below.
func InCGroup(path string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		groups, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cgroup"))
		if err == nil && within(string(groups), path) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// within tells whether one of the lines of a /proc/PID/cgroup lies in path.
func within(groups, path string) bool {
	for line := range strings.Lines(groups) {
		if strings.Contains(strings.TrimSpace(line)+"/", ":"+path+"/") {
			return true
		}
	}
	return false
}
