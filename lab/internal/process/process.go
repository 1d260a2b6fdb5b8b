// Package process starts, finds and ends the processes of a lab.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Record is what is remembered of a process: its id alone may be another's
// after it has ended.
type Record struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // ticks since boot, field 22 of /proc/PID/stat
	Log   string `json:"log"`
}

// Start starts argv, whose first word is a path, in a session of its own, so that
// it outlives the caller and its terminal, with stdout and stderr appended to the
// log.
func Start(name, log string, argv []string) (Record, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Record{}, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer func() { _ = out.Close() }() // the process has its own
	cmd := exec.Cmd{
		Path:        argv[0],
		Args:        argv,
		Dir:         "/",
		Stdout:      out,
		Stderr:      out,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err = cmd.Start(); err != nil {
		return Record{}, fmt.Errorf("starting %s: %w", name, err)
	}
	record := Record{Name: name, PID: cmd.Process.Pid, Log: log}
	stat, err := readStat(record.PID)
	if err != nil {
		return Record{}, fmt.Errorf("starting %s: %w", name, err)
	}
	record.Start = stat.start
	go func() { _ = cmd.Wait() }() // reaps it if it dies while we live; its log says why
	return record, nil
}

// Running tells whether the process still runs.
func (r Record) Running() bool {
	stat, err := readStat(r.PID)
	if err != nil || stat.start != r.Start {
		return false
	}
	if stat.state != 'Z' {
		return true
	}
	// When another thread than the first calls exec, as Go's may, the first is a
	// zombie for a moment, until the caller takes its place.
	threads, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(r.PID), "task"))
	if err == nil && len(threads) > 1 {
		return true
	}
	stat, err = readStat(r.PID)
	return err == nil && stat.start == r.Start && stat.state != 'Z'
}

// Tail returns the last lines of the log.
func (r Record) Tail(lines int) string {
	data, err := os.ReadFile(r.Log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// End asks the processes to end, all at once, and ends those by force that are
// still there after patience.
func End(records []Record, patience time.Duration) {
	alive := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return !r.Running() })
	for _, r := range alive {
		_ = syscall.Kill(r.PID, syscall.SIGTERM)
	}
	deadline := time.Now().Add(patience)
	for len(alive) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		alive = slices.DeleteFunc(alive, func(r Record) bool { return !r.Running() })
	}
	for _, r := range alive {
		_ = syscall.Kill(r.PID, syscall.SIGKILL)
	}
}

// KillCGroup ends every process in the control group by force, until none is
// left: pods, their shims, and whatever they started meanwhile.
func KillCGroup(path string, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		pids, err := InCGroup(path)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("ending the processes of %q: still there after %s: %v", path, patience, pids)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

type stat struct {
	state byte
	start uint64
}

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if errors.Is(err, fs.ErrNotExist) {
		return stat{}, fmt.Errorf("process %d has ended", pid)
	}
	if err != nil {
		return stat{}, err
	}
	return parseStat(data)
}

// parseStat reads from behind the program's name, which may hold spaces and
// parentheses: the fields are numbered from 3 there.
func parseStat(data []byte) (stat, error) {
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("reading a process's state: %d fields", len(fields))
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("reading a process's start: %w", err)
	}
	return stat{state: fields[0][0], start: start}, nil
}
